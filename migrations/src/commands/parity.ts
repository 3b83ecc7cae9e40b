import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  EXIT_CODES,
  htmlOf,
  junitOf,
  type ParityOptions,
  type Report,
  searchEnded,
  testParity,
} from '@banyan/kit/parity'
import type { Plan } from '../plan/plan.ts'
import { readPlans } from '../plan/read.ts'
import type { AddCommand, Cli } from './cli.ts'
import { explain } from './explain.ts'
import { createOutput, type Output } from './output.ts'
import { readSides } from './parity-sides.ts'
import { recordParity } from './record-parity.ts'
import { Refused } from './refused.ts'
import { wholeNumber } from './whole-number.ts'

type Given = {
  left?: string
  right?: string
  twin?: string
  sides?: string
  identities?: string
  folder: string
  plans: string
  seed: string
  requests: string
  only?: string
  recording?: string
  sandbox?: boolean
  tries: string
  report?: string
  coverage?: boolean
  record?: boolean
  rerun?: string
  json?: boolean
}

/** Where the shop's own are. */
const USUAL: Partial<Given> & { folder: string; plans: string } = {
  folder: 'tests/parity',
  plans: 'migrations/shop/plans',
}

/** Needs no control database unless it records: any two sides can be compared. */
export const addParity: AddCommand = (program, cli) => {
  program
    .command('parity <context>')
    .description(
      'ask two sides the same, and say whether they are alike: exit code 0 alike, 1 different, 2 inconclusive',
    )
    .option('--left <url>', 'the side that is right, such as the monolith')
    .option('--right <url>', 'the side that is compared with it')
    .option('--twin <url>', 'another copy of the left, to know the noise of writes')
    .option('--sandbox', 'say that --left, --right and --twin are copies that requests may write to')
    .option('--sides <file>', 'JSON with name, url, database, amqp and identities of left, right and twin')
    .option('--identities <file>', 'JSON with whose tokens the scenarios send to --left and --right, by name')
    .option('--folder <path>', 'where <context>/parity.yaml and its scenarios are', USUAL.folder)
    .option('--plans <path>', 'where the plan is, for the tables', USUAL.plans)
    .option('--seed <n>', 'of the generated requests; the same one asks the same', '1')
    .option('--requests <n>', 'how many requests are generated', '300')
    .option('--only <name>', 'run this one sequence: a scenario, "generated 7", or a shorter form as a report names it')
    .option('--recording <file>', 'replay what a proxy recorded, instead of scenarios and generated requests')
    .option('--tries <n>', 'how many shorter sequences are run to show a difference, ten times as many in all', '40')
    .option('--report <folder>', 'write report.html, report.json and junit.xml there')
    .option(
      '--coverage',
      'say which operations of the contract were never compared, or only refused; any makes the run inconclusive',
    )
    .option('--record', 'write the verdict into the control database, where a switch asks for it')
    .option('--rerun <command>', 'how a reader of the report runs this again, without the context')
    .option('--json', 'print the report as JSON')
    .action(async (context: string, given: Given) => {
      const out = createOutput({ json: given.json === true, out: process.stdout, err: process.stderr })
      let reported = false
      try {
        if (given.report) removeReports(given.report)
        const recordAt = given.record ? controlUrlOf(cli) : undefined
        const report = await testParity(await optionsOf(context, given, out))
        out.endProgress()
        if (given.report) writeReports(given.report, report)
        out.result(report, summaryOf(report, given))
        reported = true
        process.exitCode = EXIT_CODES[report.verdict]
        if (recordAt !== undefined) {
          await recordParity(recordAt, report, cli.who)
          out.line(`recorded for ${report.builds.left} and ${report.builds.right}`)
        }
      } catch (error) {
        out.endProgress()
        const { text, value } = explain(error)
        // A run that could not be made has proven nothing.
        process.exitCode = EXIT_CODES.inconclusive
        if (out.json && !reported) out.result(value, text)
        else process.stderr.write(`${text}\n`)
      }
    })
}

/** Asked before the run, and not when it is over. */
function controlUrlOf({ controlUrl }: Pick<Cli, 'controlUrl'>): string {
  if (controlUrl) return controlUrl
  throw new Error(
    '--record writes the verdict into the control database, and CONTROL_DATABASE_URL is not set: start the stack in which these builds run, or say where it is',
  )
}

async function optionsOf(context: string, given: Given, out: Output): Promise<ParityOptions> {
  // One sequence, or what users happened to ask, proves too little about a build.
  if (given.record && (given.only !== undefined || given.recording !== undefined))
    throw new Error('--record wants a whole run, without --only and --recording')
  const sides = readSides(given)
  const seldom = createSeldom()
  const [seed, requests] = [wholeNumber('--seed', given.seed, 0), wholeNumber('--requests', given.requests, 0)]
  const tries = wholeNumber('--tries', given.tries, 0)
  return {
    ...{ context, ...sides, seed, requests, only: given.only, recording: given.recording, tries, now: new Date() },
    coverage: given.coverage,
    folder: folderOf(context, given.folder),
    tables: tablesOf((await readPlans(given.plans)).get(context)),
    reproduce: (sequence) => {
      const drawn = given.recording ? `--recording ${quoted(given.recording)}` : `--requests ${requests}`
      return `${commandOf(context, given)} --seed ${seed} ${drawn} --only ${quoted(sequence)}`
    },
    progress: ({ requests: asked, share, differences }) =>
      seldom(share, () => out.progress(`${asked} requests, ${differences} differences`, share)),
    searching: ({ looked, of }) => {
      const share = looked / of
      seldom(share, () => out.progress(`shorter sequences were looked for of ${looked} of ${of} differences`, share))
    },
  }
}

/** Plain lines, where there is no bar, come twenty to a run and twenty to a search. */
function createSeldom(): (share: number, tell: () => void) => void {
  let told = -1
  return (share, tell) => {
    const twentieth = Math.floor(share * 20)
    if (twentieth === told && process.stderr.isTTY !== true) return
    told = twentieth
    tell()
  }
}

/** What of the command line decides whom the requests reach. */
function commandOf(context: string, given: Given): string {
  // Whoever gives the command to run it again by says in it which sides these are.
  const sides = given.rerun ? [] : (['left', 'right', 'twin', 'sides', 'identities'] as const)
  const options = ([...sides, 'folder', 'plans'] as const).flatMap((name) =>
    given[name] === undefined || given[name] === USUAL[name]
      ? []
      : [`--${name} ${quoted(withoutPassword(given[name]))}`],
  )
  return [given.rerun ?? RERUN, context, ...options, ...(given.sandbox ? ['--sandbox'] : [])].join(' ')
}

const RERUN = 'npm run -s banyan -- parity'
const withoutPassword = (url: string) => url.replace(/\/\/[^/@]*@/, '//')
const quoted = (word: string) => (/^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

/** @throws Refused for a context of which nothing says what is compared */
function folderOf(context: string, folder: string): string {
  const describes = (name: string) => existsSync(join(folder, name, 'parity.yaml'))
  if (describes(context)) return join(folder, context)
  const known = existsSync(folder) ? readdirSync(folder).filter(describes).join(', ') : ''
  throw new Refused(
    `${join(folder, context, 'parity.yaml')} to say what is compared; ${folder} has such a file of: ${known || 'none'}`,
  )
}

/** Rows are reported by the service's names; a context without a plan has its answers compared alone. */
function tablesOf(plan: Plan | undefined): ParityOptions['tables'] {
  const tables = plan?.tables ?? []
  return {
    left: tables.map(({ from, to, columns }) => ({ table: from, as: to, columns })),
    right: tables.map(({ to }) => ({ table: to, as: to })),
  }
}

const REPORTS = ['report.html', 'report.json', 'junit.xml'] as const

/** What an earlier run proved is not what this one does, even if it breaks off. */
function removeReports(folder: string): void {
  for (const name of REPORTS) rmSync(join(folder, name), { force: true })
}

function writeReports(folder: string, report: Report): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'report.html'), htmlOf(report))
  writeFileSync(join(folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`)
  writeFileSync(join(folder, 'junit.xml'), junitOf(report))
}

const SHOWN_AT_MOST = 20

function summaryOf(report: Report, given: Given): string {
  const { verdict, reasons, differences, uncovered, onlyRefused, requests, seconds, requestsPerSecond, comparerShare } =
    report
  const ended = searchEnded(report)
  return [
    `${verdict}: ${reasons.join('; ')}`,
    ...differences
      .slice(0, SHOWN_AT_MOST)
      .map(({ operation, at, kind, sample, reproduction }) =>
        [
          `  ${operation} ${at}: ${kind}; ${JSON.stringify(sample.left)} | ${JSON.stringify(sample.right)}`.slice(
            0,
            300,
          ),
          ...(reproduction ? [`    ${reproduction.command}`] : []),
        ].join('\n'),
      ),
    ...(differences.length > SHOWN_AT_MOST ? [`  and ${differences.length - SHOWN_AT_MOST} more`] : []),
    ...(ended === undefined ? [] : [ended]),
    ...report.unmet
      .slice(0, 10)
      .map(({ sequence, step, side, what }) => `  ${sequence}, step ${step + 1}, ${side}: ${what}`),
    ...(given.coverage
      ? [`never compared: ${uncovered.join(', ') || 'none'}`, `only refused: ${onlyRefused.join(', ') || 'none'}`]
      : []),
    ...(report.recorded.asked > 0
      ? [`${report.recorded.same} of ${report.recorded.asked} recorded requests were answered as they had been`]
      : []),
    `${requests} requests in ${seconds} s, ${requestsPerSecond} a second; comparing took ${Math.round(comparerShare * 100)} % of it`,
    ...(given.report ? [`report: ${join(given.report, 'report.html')}`] : []),
  ].join('\n')
}
