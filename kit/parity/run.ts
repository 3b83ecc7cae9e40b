/** Runs sequences against both sides and counts what differs; decides at the end. */
import { createHash } from 'node:crypto'
import { type Compared, createAttribution, isNothing } from './attribute.ts'
import { compare, type Difference, stable } from './compare.ts'
import { createMask } from './mask.ts'
import { isSuccess } from './observation.ts'
import type { Operations } from './operations.ts'
import { patternOf } from './path.ts'
import { createRuleBook, type Rule, type RuleBook } from './rules.ts'
import { createSeenSecrets } from './seen-secrets.ts'
import { createSettler, type Replay } from './settle.ts'
import type { Side } from './side.ts'
import { namesEffects, render, type Sequence, type Step, startVariables, type Variables } from './step.ts'
import { isSafe, type Taken, takeStep } from './take-step.ts'
import { createTally, type Finding, type Origin, type Tally } from './tally.ts'

export type Unmet = { sequence: string; step: number; side: string; what: string }
export type Unhealthy = { side: string; what: string; times: number }

export type RunOptions = {
  left: Side
  right: Side
  /** Another of the left, from the same state: asked everything too, so that noise is known of writes as well. */
  twin?: Side | undefined
  rules: readonly Rule[]
  operations: Operations
  /** Found and masked wherever they stand. */
  secrets?: readonly string[] | undefined
  seed: number
  /** As `2027-03-31`. */
  today: string
  /** Told after each sequence. */
  progress?: (done: { requests: number; sequences: number; differences: number }) => void
}

export type Runner = {
  run(sequences: Iterable<Sequence>): Promise<void>
  /** Runs what was seen too seldom to tell a few times more: it is real if it always comes back. */
  settle(): Promise<void>
  /** Runs a sequence once more, apart from all counts. @returns what each step differs in */
  replay(sequence: Sequence): Promise<Replay[]>
  result(): RunResult
}

export type RunResult = {
  real: Finding[]
  noise: Finding[]
  /** Seen, but not again when asked for. */
  doubtful: Finding[]
  unmet: Unmet[]
  unhealthy: Unhealthy[]
  operations: ReturnType<Tally['operations']>
  rules: ReturnType<RuleBook['uses']>
  /** Requests that were recorded, and how many the left answered with the recorded status. */
  recorded: { asked: number; same: number }
  /** Of every request that was asked of the left, in order: the same for a run that asked the same. */
  asked: string
  requests: number
  compared: number
  durationMs: number
  comparingMs: number
}

/** A step as both sides took it, and what they differ in. */
type Seen = Compared & { left: Taken; right: Taken }

/** @param options.left the side that is right by definition, such as the monolith */
export function createRunner(options: RunOptions): Runner {
  const { left, right, twin, operations } = options
  const secrets = createSeenSecrets()
  const mask = createMask(options.secrets, { learned: secrets.learned, strict: true })
  // By these places are counted, so what becomes of a name must not change while the run learns.
  const inPlaces = createMask(options.secrets)
  const tally = createTally(mask)
  const book = createRuleBook(options.rules, options.today)
  // Ids of the twin pair with the left's in their own way.
  const twinBook = createRuleBook(options.rules, options.today)
  const attribution = createAttribution()
  const kept: Sequence[] = []
  const unmet: Unmet[] = []
  const unhealthy = new Map<string, Unhealthy>()
  const started = performance.now()
  const asked = createHash('sha256')
  const recorded = { asked: 0, same: 0 }
  const counts = { requests: 0, compared: 0, comparingMs: 0, sequences: 0, replays: 0 }

  /**
   * Takes the steps of a sequence on every side, and compares them. Ends early when a side gives no answer.
   * @param closely whether to look at what a step did after reads, too: else they are looked at with the step after them
   */
  async function takeAll(sequence: Sequence, number: string, closely: boolean): Promise<Seen[]> {
    const sides = [left, right, ...(twin ? [twin] : [])]
    const variables = sides.map(() => startVariables(options.seed, number))
    const steps: Seen[] = []
    await Promise.all(sides.map((side) => side.effects?.begin()))
    secrets.begin()
    for (const [at, step] of sequence.steps.entries()) {
      const acts = () => attribution.acts(nameOf(step.method, render(step, variables[0]!).path))
      const looked = closely || !isSafe(step) || namesEffects(step) || at === sequence.steps.length - 1 || acts()
      for (const each of variables) secrets.sent(render(step, each))
      const tries = await Promise.allSettled(sides.map((side, of) => takeStep(side, step, variables[of]!, looked)))
      counts.requests += sides.length * (step.together ?? 1)
      const failed = tries.flatMap((each, of) => (each.status === 'rejected' ? [{ of, why: each.reason }] : []))
      for (const { of, why } of failed) noteUnhealthy(sides[of]!.name, why)
      if (failed.length > 0) break
      const [one, other, third] = tries.map((each) => (each as PromiseFulfilledResult<Taken>).value)
      const again =
        third ?? (isSafe(step) && step.together === undefined ? await askAgain(step, variables[0]!, looked) : undefined)
      steps.push(comparing(() => seenOf(step, looked, one!, other!, again)))
    }
    return steps
  }

  function seenOf(step: Step, looked: boolean, one: Taken, other: Taken, again: Taken | undefined): Seen {
    const operation = nameOf(step.method, one.asked.path)
    const all = [one, other, ...(again ? [again] : [])]
    const [sides, twice] = [
      differencesOf(one, other, operation, book),
      again && differencesOf(one, again, operation, twinBook),
    ]
    // Nothing is kept of documents in which all is as it should be.
    if (sides.length > 0 || all.some(({ unmet: wrong }) => wrong.length > 0))
      for (const { document } of all) secrets.seen(document)
    return {
      ...{ operation, left: one, right: other, looked },
      did: all.some(({ document: { rows, events } }) => !isNothing({ rows, events })),
      ...{ sides, again: twice },
    }
  }

  /** A member may be called by what is somebody's own, as where addresses are the names. */
  function differencesOf(one: Taken, other: Taken, operation: string, rules: RuleBook): Difference[] {
    return compare(one.document, other.document, operation, rules).map((difference) => ({
      ...difference,
      path: inPlaces.text(difference.path),
    }))
  }

  function comparing<T>(work: () => T): T {
    const before = performance.now()
    const result = work()
    counts.comparingMs += performance.now() - before
    return result
  }

  async function askAgain(step: Step, variables: Variables, look: boolean): Promise<Taken | undefined> {
    counts.requests++
    try {
      return await takeStep(left, step, new Map(variables), look)
    } catch (error) {
      noteUnhealthy(left.name, error)
      return undefined
    }
  }

  /** A path that the contract does not know stands for itself, with whatever was put into it. */
  function nameOf(method: string, path: string): string {
    return inPlaces.text(operations.nameOf(method, path))
  }

  function sentenceOf({ path, seen, wanted }: Taken['unmet'][number]): string {
    const said = (value: unknown) => stable(mask.at(path, value)) || 'absent'
    return `${mask.text(path)} is ${said(seen)}, not ${said(wanted)}`
  }

  function noteUnhealthy(side: string, why: unknown): void {
    const what = mask.text(why instanceof Error ? why.message || why.name : String(why))
    const known = unhealthy.get(`${side} ${what}`) ?? { side, what, times: 0 }
    known.times++
    unhealthy.set(`${side} ${what}`, known)
  }

  async function runOne(sequence: Sequence, index: number): Promise<void> {
    const steps = await takeAll(sequence, String(index), false)
    const sure = attribution.isBlurred(steps) ? attribution.attribute(steps, await takeAgain(sequence)) : steps
    comparing(() => {
      for (const [at, seen] of sure.entries()) count(sequence, { sequence: sequence.name, index, step: at }, seen)
    })
  }

  function count(sequence: Sequence, origin: Origin, { operation, left: one, right: other, sides, again }: Seen): void {
    const { recorded: wanted } = sequence.steps[origin.step]!
    counts.compared++
    const { method, path, body, as } = one.asked
    asked.update(stable([method, path, body, as]))
    if (wanted !== undefined) {
      recorded.asked++
      if ((one.document as { status?: number }).status === wanted) recorded.same++
    }
    tally.compared(operation, sides, origin)
    if (isSuccess(one.document)) tally.succeeded(operation)
    if (again) tally.askedTwice(operation, again)
    for (const [side, { unmet: expected, missed }] of [
      [left.name, one],
      [right.name, other],
    ] as const) {
      const sentences = [...expected.map(sentenceOf), ...(sequence.kind === 'scenario' ? missed : [])]
      for (const what of sentences) unmet.push({ sequence: sequence.name, step: origin.step, side, what })
    }
  }

  /** With names and numbers of its own, and looked at after every step. */
  function takeAgain(sequence: Sequence): Promise<Seen[]> {
    return takeAll(sequence, `replay${counts.replays++}`, true)
  }

  async function replay(sequence: Sequence): Promise<Replay[]> {
    return (await takeAgain(sequence)).map(({ operation, sides, again = [] }) => {
      const spots = (found: readonly Difference[]) =>
        found.map(({ path, kind }) => ({ operation, at: patternOf(path), kind }))
      return { sides: spots(sides), again: spots(again) }
    })
  }

  const settler = createSettler(replay)
  return {
    async run(sequences) {
      for (const sequence of sequences) {
        kept.push(sequence)
        await runOne(sequence, counts.sequences++)
        options.progress?.({ ...counts, differences: tally.judge().real.length })
      }
    },
    replay,
    settle: () => settler.settle(tally.judge(), kept),
    result: () => ({
      ...settler.settled(tally.judge()),
      unmet,
      unhealthy: [...unhealthy.values()],
      operations: tally.operations(),
      rules: book.uses(),
      recorded,
      asked: asked.copy().digest('hex'),
      requests: counts.requests,
      compared: counts.compared,
      durationMs: performance.now() - started,
      comparingMs: counts.comparingMs,
    }),
  }
}
