/** The command line of `npm start`. */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'

export type Options = {
  auto: boolean
  through: string | undefined
  stay: boolean
  /** Things the shoppers do per second. */
  rate: number
  report: string | undefined
  /** In every chapter one process is killed; this says which, and when. */
  chaos: string | undefined
  help: boolean
}

export const HELP = `npm start -- [options]     the tour: the shop boots, shoppers come, docs/playbook.md is walked through

  --auto              do not wait for Enter between the steps (so it is without a terminal)
  --through <stage>   end after this chapter of the playbook, such as 3-inventory (default: the last)
  --stay              leave the stack up afterwards, until Ctrl-C
  --rate <n>          what the shoppers do per second (default 50)
  --report <file>     write the result as JSON
  --chaos <seed>      in every chapter, kill one process (SIGKILL) and start it again; the seed says which, and when
  --help              this text

Exit code 0: every check held. 1: one did not. 2: a mistake in these options.`

/** @throws for an unknown option or a value that makes no sense, with what would */
export function readOptions(args: readonly string[], chapters: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      auto: { type: 'boolean', default: false },
      through: { type: 'string' },
      stay: { type: 'boolean', default: false },
      rate: { type: 'string', default: '50' },
      report: { type: 'string' },
      chaos: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const rate = Number(values.rate)
  if (!Number.isFinite(rate) || rate < 1 || rate > 2_000)
    throw new Error(`--rate ${values.rate}: say a number from 1 to 2000`)
  const { through } = values
  if (through !== undefined && !chapters.includes(through))
    throw new Error(`--through ${through}: the playbook's stages are ${chapters.join(', ')}`)
  const { auto, stay, report, chaos, help } = values
  if (report === '') throw new Error('--report: say a file')
  if (report !== undefined) mustBeWritable(report)
  if (chaos === '') throw new Error('--chaos: say a seed, any word or number')
  return { auto, through, stay, rate, report, chaos, help }
}

/** Asked before the tour, and not when its ten minutes are over. */
function mustBeWritable(report: string): void {
  try {
    accessSync(existsSync(report) ? report : dirname(report), constants.W_OK)
    if (existsSync(report) && statSync(report).isDirectory()) throw new Error('it is a folder')
  } catch (error) {
    throw new Error(`--report ${report}: it cannot be written there (${(error as Error).message})`)
  }
}
