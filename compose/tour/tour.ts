/** The tour's own course: stack → shoppers → playbook → ledger → report. */
import { join } from 'node:path'
import { ROOT, type Stack, startStack } from '../embedded/stack.ts'
import { MAIN } from '../embedded/stack-env.ts'
import { isExact } from '../ledger/compare.ts'
import { readStock, type Stock } from '../ledger/held.ts'
import { placesOf } from '../ledger/places.ts'
import { settledLedger } from '../ledger/settle.ts'
import { type Stage, servicesOf } from '../provision/services.ts'
import { type Crowd, startCrowd } from '../shoppers/crowd.ts'
import { type Chaos, startChaos } from './chaos.ts'
import { untilTrafficFlows } from './flowing.ts'
import type { Options } from './options.ts'
import type { Chapter } from './playbook.ts'
import { type ChaosReport, type Report, writeReport } from './report.ts'
import { columns, title } from './show.ts'
import { walk } from './walk.ts'

/** How long sagas, shipments and e-mails may take to end after the last shopper. */
const SETTLE_MS = 60_000
/** What a killed process had in its hand is taken up again when its lease is over: an e-mail after a minute. */
const SETTLE_AFTER_KILLS_MS = 180_000
/** A shop that answers nobody fails the walk's own checks, which say more of why. */
const FLOWS_WITHIN_MS = 30_000

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
  const chaos = options.chaos === undefined ? undefined : startChaos(options.chaos, stack, crowd.measure)
  const stages = await walk({
    chapters,
    root: ROOT,
    env: stack.env,
    measure: crowd.measure,
    ask: !options.auto && process.stdin.isTTY === true,
    chaos,
  })
  await crowd.stop()
  title('The ledger')
  const settleMs = chaos ? SETTLE_AFTER_KILLS_MS : SETTLE_MS
  const { ledger, findings } = await settledLedger(journalFile, initial, places, settleMs, chaos?.lettersInHand)
  const traffic = crowd.measure.traffic()
  const held = stages.length === chapters.length && stages.every((stage) => stage.steps.every((step) => step.ok))
  const toll = await chaos?.report(places)
  const failedAtKilled = toll?.kills.reduce((sum, kill) => sum + kill.failedAtIt, 0) ?? 0
  const ok = held && traffic.failed === failedAtKilled && traffic.requests > 0 && isExact(ledger)
  const report: Report = { ok, stages, traffic, ledger, ...(toll ? { chaos: toll } : {}) }
  if (options.report) writeReport(options.report, report)
  summary(report, findings, crowd, chaos)
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
  // Where nobody says when the command was given, as in a test, this process is all there is of it.
  const since = Number(process.env.BANYAN_STARTED_AT) || performance.timeOrigin
  const ms = await untilTrafficFlows(crowd.measure, since, FLOWS_WITHIN_MS)
  if (ms === undefined) console.log(`banyan: none of them was answered within ${FLOWS_WITHIN_MS / 1000} s`)
  else console.log(`banyan: traffic flows, ${Math.round(ms / 100) / 10} s after the start`)
  return crowd
}

function welcome({ name, env, facts, unleashLogin, logs }: Stack): void {
  const { OPS_URL: ops } = env
  columns([
    ['shop', `${env.SHOP_URL}/api/products`],
    ['login', `${facts.admin.email} / ${facts.admin.password}`],
    ...(ops
      ? ([
          ['console', `${env.CONSOLE_URL}   ${env.CONSOLE_NAME} / ${env.CONSOLE_SECRET}`],
          ['operators', `${ops}   token ${facts.keys.opsToken}`],
        ] as const)
      : []),
    ...(unleashLogin && facts.unleash
      ? ([
          ['flags', `${new URL(facts.unleash.url).origin}   ${unleashLogin.username} / ${unleashLogin.password}`],
        ] as const)
      : []),
    ['e-mails', `${env.MAIL_URL}/messages`],
    ['logs', logs],
    ...(servicesOf(facts.stage).length > 0
      ? ([['second terminal', `${name === MAIN ? '' : `BANYAN_STACK=${name} `}npm run -s banyan -- status`]] as const)
      : []),
  ])
  console.log('')
}

function summary(report: Report, findings: readonly string[], crowd: Crowd, chaos: Chaos | undefined): void {
  const { ok, stages, traffic, ledger } = report
  columns(Object.entries(ledger).map(([name, value]) => [name, String(value)] as const))
  for (const finding of findings.slice(0, 20)) console.log(`    ${finding}`)
  title('Traffic')
  columns(Object.entries(traffic).map(([name, value]) => [name, String(value)] as const))
  const unexplained = chaos ? chaos.unexplained() : crowd.measure.failures()
  for (const { status, code = '', action, ms, startedAt } of unexplained.slice(0, 20)) {
    const at = new Date(startedAt).toISOString()
    console.log(`    ${at} ${action}: ${status ?? 'no answer'} ${code} after ${Math.round(ms)} ms`)
  }
  if (report.chaos) toll(report.chaos)
  title('Result')
  for (const stage of stages) {
    const done = stage.steps.filter((step) => step.ok).length
    const pauses = stage.switches.map((each) => `${each.direction} ${each.pauseMs} ms`).join(', ')
    console.log(`  ${stage.name}: ${done} of ${stage.steps.length} steps${pauses ? `; slowest held: ${pauses}` : ''}`)
  }
  console.log(ok ? '\nEvery check held.' : '\nNOT every check held.')
}

function toll({ seed, kills, givenAgain, emailsRepeated }: ChaosReport): void {
  title(`What was killed (--chaos ${seed})`)
  for (const { stage, process, at, awayMs, failedAtIt } of kills)
    console.log(`  ${stage}: ${process} at ${at}, away for ${awayMs} ms; ${failedAtIt} requests failed at it`)
  for (const { stage, command } of givenAgain) console.log(`  ${stage}: given again: ${command}`)
  console.log(`  e-mails repeated because their sending was cut off: ${emailsRepeated}`)
}
