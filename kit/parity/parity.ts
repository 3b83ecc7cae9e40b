/** The whole run: a context's folder and two sides in, one report out. */
import { type Operation, readContract } from './contract.ts'
import { EXCHANGE, watchEffects } from './effects.ts'
import { drawSequences, redraw, sequenceArbitrary } from './generate.ts'
import { createIdentify } from './identity.ts'
import { createOperations } from './operations.ts'
import { type Place, refusePlaces, secretsOf, unseenOf } from './places.ts'
import { readBuild } from './read-build.ts'
import { readRecording } from './recording/read.ts'
import { toSequences } from './recording/to-sequences.ts'
import { createReport, type Report } from './report.ts'
import { reproductionsOf } from './reproductions.ts'
import type { WatchedTable } from './row-watch.ts'
import { createRunner } from './run.ts'
import { readParityFolder, type Settings } from './settings.ts'
import { findForm } from './shorten.ts'
import { createSide, type Side } from './side.ts'
import type { Sequence } from './step.ts'
import { createTeller } from './tell.ts'

export type ParityOptions = {
  context: string
  /** With `parity.yaml` and the scenarios. */
  folder: string
  left: Place
  right: Place
  twin?: Place | undefined
  tables: { left: readonly WatchedTable[]; right: readonly WatchedTable[] }
  seed: number
  /** How many generated requests; 0 runs the scenarios alone. */
  requests: number
  /** A recording to replay instead of scenarios and generated requests. */
  recording?: string | undefined
  /** The one sequence to run, by name: a scenario's, or that of a generated one or of a shorter form of it. */
  only?: string | undefined
  /** Whether an operation that was never compared, or only refused, makes the run inconclusive. */
  coverage?: boolean | undefined
  /** How many shorter sequences are run for a difference, and ten times as many in all; 0 shows it as it was found. */
  tries: number
  now: Date
  /** The command line that runs one sequence of this run again. */
  reproduce(sequence: string): string
  progress?: (done: { requests: number; share: number; differences: number }) => void
  /** Told when everything was compared, before a shorter sequence is looked for, of each difference. */
  searching?: (done: { looked: number; of: number }) => void
}

/** @throws Error when the folder or the contract cannot be read, or a side's database or broker cannot be reached */
export async function testParity(options: ParityOptions): Promise<Report> {
  const { settings, contract: file, scenarios } = readParityFolder(options.folder)
  const contract = readContract(file)
  const own = ownOperations(contract, settings)
  const arbitrary = sequenceArbitrary(own, settings)
  const generated = options.requests > 0 ? drawSequences(arbitrary, options.seed, options.requests) : []
  const replayed = options.recording === undefined ? undefined : replayOf(options.recording, own, settings)
  const all = replayed ?? inTurn(scenarios, generated)
  const { only, seed } = options
  const drawn = only === undefined || replayed ? undefined : redraw(arbitrary, seed, only)
  const one = only === undefined ? undefined : (drawn ?? findForm(all, only))
  if (only !== undefined && !one) throw new Error(`--only ${only}: there is no sequence of this name`)
  const sequences = one ? [one] : all
  const places = [options.left, options.right, ...(options.twin ? [options.twin] : [])]
  refusePlaces(places, sequences)
  const before = await buildsOf(options)
  const opened: Side[] = []
  try {
    const open = async (place: Place, tables: readonly WatchedTable[]) => {
      const side = await openSide(place, tables, options.context)
      opened.push(side)
      return side
    }
    const left = await open(options.left, options.tables.left)
    const right = await open(options.right, options.tables.right)
    const twin = options.twin && (await open(options.twin, options.tables.left))
    let done = 0
    const runner = createRunner({
      ...{ left, right, twin, rules: settings.rules, operations: createOperations(contract), seed: options.seed },
      today: options.now.toISOString().slice(0, 10),
      secrets: secretsOf(places),
      progress: ({ requests, differences }) =>
        options.progress?.({ requests, differences, share: ++done / sequences.length }),
    })
    await runner.run(sequences)
    await runner.settle()
    const result = runner.result()
    const { reproductions, search } = await reproductionsOf(result.real, {
      ...{ runner, sequences, arbitrary, seed, tries: options.tries },
      ...{ command: options.reproduce, progress: options.searching },
    })
    const after = await buildsOf(options)
    const changed = (['left', 'right'] as const).filter((side) => after[side] !== before[side])
    return createReport(result, {
      ...{ context: options.context, sides: { left: left.name, right: right.name }, seed: options.seed },
      builds: before,
      doubts: changed.map((side) => `${options[side].name} runs another build than at the start`),
      ...{ at: options.now.toISOString(), reproductions, search },
      minimum: options.only === undefined ? (replayed ? settings.recorded : settings).minimum : 1,
      partial: replayed !== undefined || only !== undefined,
      unseen: unseenOf(places),
      coverage: options.coverage,
      ...(replayed ? { faithful: settings.recorded.faithful } : {}),
      operations: own,
    })
  } finally {
    for (const side of opened) await side.close()
  }
}

/**
 * Bursts last: how many numbers of a sequence they use up is a matter of luck on each side, and afterwards the same
 * number, which a generated request names as it likes, is another row's there, or nobody's.
 */
function inTurn(scenarios: readonly Sequence[], generated: readonly Sequence[]): Sequence[] {
  const isBurst = ({ steps }: Sequence) => steps.some(({ together }) => together !== undefined)
  return [...scenarios.filter((one) => !isBurst(one)), ...generated, ...scenarios.filter(isBurst)]
}

/** What of the contract is the context's. @throws Error for a name that the contract does not know */
function ownOperations(contract: readonly Operation[], { operations }: Settings): Operation[] {
  const unknown = operations?.filter((name) => !contract.some(({ operationId }) => operationId === name)) ?? []
  if (unknown.length > 0) throw new Error(`operations of parity.yaml: the contract has no ${unknown.join(', ')}`)
  return contract.filter(({ operationId }) => operations?.includes(operationId) ?? true)
}

/** Of a recording what is the context's: the same world may not have the rest. */
function replayOf(file: string, own: readonly Operation[], { recorded }: Settings): Sequence[] {
  const [known, names] = [createOperations(own), new Set(own.map(({ operationId }) => operationId))]
  const accounts = new Set(recorded.accounts.map(({ method, path }) => `${method} ${path}`))
  const recording = readRecording(file).filter(
    ({ method, path }) => names.has(known.nameOf(method, path)) || accounts.has(`${method} ${path}`),
  )
  const { sequences } = toSequences(recording, recorded)
  if (sequences.length === 0) throw new Error(`${file} holds no request of this context that can be sent again`)
  return sequences
}

async function buildsOf({ left, right }: ParityOptions): Promise<Report['builds']> {
  const [one, other] = await Promise.all([readBuild(left.url), readBuild(right.url)])
  return { left: one, right: other }
}

async function openSide(place: Place, tables: readonly WatchedTable[], context: string): Promise<Side> {
  const { name, url: baseUrl, database, amqp, clockShiftMs } = place
  const now = () => new Date(Date.now() + clockShiftMs)
  const effects = database === undefined ? undefined : await watchEffects({ database, tables, context, amqp })
  const teller =
    amqp && database ? createTeller({ amqp, database, exchange: EXCHANGE, queue: `banyan.${context}`, now }) : undefined
  const identify = createIdentify(place.identities, now)
  return createSide({ name, baseUrl, identify, identities: Object.keys(place.identities), effects, teller })
}
