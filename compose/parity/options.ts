/** The command line of `npm run parity`: what makes the worlds is its own, the rest goes on to `banyan parity`. */
import { parseArgs } from 'node:util'
import { CONTEXTS } from './contexts.ts'

export const HELP = `npm run parity -- <context> [options]     two isolated worlds, the monolith and the service, asked the same

  --seed <n>             of the generated requests; the same one asks the same (default 1)
  --requests <n>         how many requests are generated (default 300)
  --only <name>          run this one sequence, by the name that a report gives it
  --coverage             say which operations of the contract were never compared, or only refused
  --recording <file>     replay what a proxy recorded, instead of scenarios and generated requests
  --record               write the verdict into the control database, where a switch asks for it
  --twin                 a second monolith, to know the noise of writes as well
  --service-file <path>  another build of the service
  --clock <instant>      what time it is in the worlds, such as 2027-12-31T23:59:30Z
  --logs <folder>        keep what the processes of the worlds logged
  --report <folder>      where report.html, report.json and junit.xml go
  --folder <path>        where <context>/parity.yaml and its scenarios are (default tests/parity)
  --tries <n>            how many shorter sequences are run to show a difference (default 40), ten times as many in all
  --json                 print the report as JSON

Exit code 0: alike. 1: different. 2: inconclusive, or a mistake in these options.`

const OWN = {
  twin: { type: 'boolean', default: false },
  'service-file': { type: 'string' },
  clock: { type: 'string' },
  logs: { type: 'string' },
  report: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const
const PASSED = {
  seed: { type: 'string' },
  requests: { type: 'string' },
  tries: { type: 'string' },
  only: { type: 'string' },
  recording: { type: 'string' },
  folder: { type: 'string' },
  coverage: { type: 'boolean' },
  record: { type: 'boolean' },
  json: { type: 'boolean' },
} as const
const NUMBERS = ['seed', 'requests', 'tries'] as const

/**
 * Asked before a world is started, which takes ten seconds.
 * @throws Error that says what was seen and what would do
 */
export function readOptions(args: readonly string[]) {
  const { values, positionals } = parseArgs({ args: [...args], options: { ...OWN, ...PASSED }, allowPositionals: true })
  const [context = '', ...more] = positionals
  if (!values.help && (!CONTEXTS.has(context) || more.length > 0))
    throw new Error(
      `${positionals.length === 0 ? 'say which context' : `"${positionals.join(' ')}" is no context`}: ${[...CONTEXTS.keys()].join(', ')}`,
    )
  for (const name of NUMBERS)
    if (values[name] !== undefined && !/^\d{1,9}$/.test(values[name]))
      throw new Error(`--${name} ${values[name]}: say a whole number`)
  const passed = Object.keys(PASSED).flatMap((name) => {
    const value = values[name as keyof typeof PASSED]
    return value === undefined ? [] : value === true ? [`--${name}`] : [`--${name}`, String(value)]
  })
  return { own: values, passed, context }
}

/** What decides about the worlds, in the command for a shell that a reader of the report repeats. */
export function rerunOf(own: Pick<ReturnType<typeof readOptions>['own'], 'twin' | 'service-file' | 'clock'>): string {
  const worlds = (['service-file', 'clock'] as const).flatMap((name) =>
    own[name] === undefined ? [] : [`--${name}`, quoted(own[name])],
  )
  return ['npm run parity --', ...(own.twin ? ['--twin'] : []), ...worlds].join(' ')
}

const quoted = (word: string) => (/^[\w./:-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)
