/** The tour's own course: stack → shoppers → playbook → ledger → report. */
import { join } from 'node:path'
import { ROOT, type Stack, startStack } from '../embedded/stack.ts'
import { MAIN } from '../embedded/stack-env.ts'
import { isExact } from '../ledger/compare.ts'
import { readStock, type Stock } from '../ledger/held.ts'
import { placesOf } from '../ledger/places.ts'
import { settledLedger } from '../ledger/settle.ts'
import type { Stage } from '../provision/services.ts'
import { type Crowd, startCrowd } from '../shoppers/crowd.ts'
import type { Options } from './options.ts'
import type { Chapter } from './playbook.ts'
import { type Report, writeReport } from './report.ts'
import { columns, title } from './show.ts'
import { walk } from './walk.ts'

/** How long sagas, shipments and e-mails may take to end after the last shopper. */
const SETTLE_MS = 60_000

/** Boots what the last of these chapters needs. */
export async function startTourStack(chapters: readonly Chapter[]): Promise<Stack> {
  const stage = (chapters.at(-1)?.number ?? 0) as Stage
  const started = performance.now()
  console.log('banyan: starting PostgreSQL, RabbitMQ and the shop …')
  const announce = (line: string) => console.log(`banyan: ${line}`)
  const stack = await startStack({ name: MAIN, stage, ports: 'well-known', announce })
  console.log(`banyan: up after ${Math.round((performance.now() - started) / 100) / 10} s\n`)
  welcome(stack)
  return stack
}

/** @returns whether every check held */
export async function tour(stack: Stack, chapters: readonly Chapter[], options: Options): Promise<boolean> {
  const places = placesOf(stack)
  const initial = await readStock(places)
  const journalFile = join(stack.facts.folder, 'told.jsonl')
  const crowd = await letShoppersIn(stack, journalFile, initial, options.rate)
  const stages = await walk({
    chapters,
    root: ROOT,
    env: stack.env,
    measure: crowd.measure,
    ask: !options.auto && process.stdin.isTTY === true,
  })
  await crowd.stop()
  title('The ledger')
  const { ledger, findings } = await settledLedger(journalFile, initial, places, SETTLE_MS)
  const traffic = crowd.measure.traffic()
  const held = stages.length === chapters.length && stages.every((stage) => stage.steps.every((step) => step.ok))
  const ok = held && traffic.failed === 0 && traffic.requests > 0 && isExact(ledger)
  const report: Report = { ok, stages, traffic, ledger }
  if (options.report) writeReport(options.report, report)
  summary(report, findings, crowd)
  return ok
}

async function letShoppersIn(stack: Stack, journalFile: string, stock: Stock, rate: number): Promise<Crowd> {
  const { env, facts } = stack
  const crowd = await startCrowd({
    baseUrl: env.SHOP_URL ?? '',
    rate,
    journalFile,
    admin: facts.admin,
    products: [...stock.keys()],
  })
  console.log(`banyan: shoppers are let in at ${env.SHOP_URL}, ${rate} requests a second`)
  return crowd
}

function welcome({ name, env, facts, unleashLogin, logs }: Stack): void {
  const { OPS_URL: ops } = env
  columns([
    ['shop', `${env.SHOP_URL}/api/products`],
    ['login', `${facts.admin.email} / ${facts.admin.password}`],
    ...(ops ? ([['operators', `${ops}   token ${facts.keys.opsToken}`]] as const) : []),
    ...(unleashLogin && facts.unleash
      ? ([
          ['flags', `${new URL(facts.unleash.url).origin}   ${unleashLogin.username} / ${unleashLogin.password}`],
        ] as const)
      : []),
    ['e-mails', `${env.MAIL_URL}/messages`],
    ['logs', logs],
    ['second terminal', `${name === MAIN ? '' : `BANYAN_STACK=${name} `}npm run -s banyan -- status inventory`],
  ])
  console.log('')
}

function summary({ ok, stages, traffic, ledger }: Report, findings: readonly string[], crowd: Crowd): void {
  columns(Object.entries(ledger).map(([name, value]) => [name, String(value)] as const))
  for (const finding of findings.slice(0, 20)) console.log(`    ${finding}`)
  title('Traffic')
  columns(Object.entries(traffic).map(([name, value]) => [name, String(value)] as const))
  for (const { status, action, ms, startedAt } of crowd.measure.failures().slice(0, 20)) {
    const at = new Date(startedAt).toISOString()
    console.log(`    ${at} ${action}: ${status ?? 'no answer'} after ${Math.round(ms)} ms`)
  }
  title('Result')
  for (const stage of stages) {
    const done = stage.steps.filter((step) => step.ok).length
    const pauses = stage.switches.map((each) => `${each.direction} ${each.pauseMs} ms`).join(', ')
    console.log(`  ${stage.name}: ${done} of ${stage.steps.length} steps${pauses ? `; slowest held: ${pauses}` : ''}`)
  }
  console.log(ok ? '\nEvery check held.' : '\nNOT every check held.')
}
