/** Runs sequences against both sides and counts what differs; decides at the end. */
import { createHash } from 'node:crypto'
import { compare, type Difference, stable } from './compare.ts'
import { createMask } from './mask.ts'
import type { Operations } from './operations.ts'
import { patternOf } from './path.ts'
import { createRuleBook, type Rule, type RuleBook } from './rules.ts'
import type { Side } from './side.ts'
import type { Sequence, Step, Variables } from './step.ts'
import { isSafe, type Taken, takeStep } from './take-step.ts'
import { createTally, type Finding, type Judgement, type Tally } from './tally.ts'

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

export type Spot = { operation: string; at: string; kind: string }
/** Between the sides, and of one side asked twice. */
export type Replay = { sides: Spot[]; again: Spot[] }

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

const REPLAYS = 3
/** Sequences that are run again. */
const SETTLED_AT_MOST = 20
const keyOf = ({ operation, at, kind }: Spot) => `${operation} ${at} ${kind}`

/** @param options.left the side that is right by definition, such as the monolith */
export function createRunner(options: RunOptions): Runner {
  const { left, right, twin, operations } = options
  const mask = createMask(options.secrets)
  const tally = createTally(mask)
  const book = createRuleBook(options.rules, options.today)
  // Ids of the twin pair with the left's in their own way.
  const twinBook = createRuleBook(options.rules, options.today)
  const kept: Sequence[] = []
  const settled = new Map<string, keyof Judgement>()
  const unmet: Unmet[] = []
  const unhealthy = new Map<string, Unhealthy>()
  const started = performance.now()
  const asked = createHash('sha256')
  const recorded = { asked: 0, same: 0 }
  const counts = { requests: 0, compared: 0, comparingMs: 0, sequences: 0, replays: 0 }

  /** Takes the steps of a sequence on every side; `seen` is told each step. Ends early when a side gives no answer. */
  async function takeAll(
    sequence: Sequence,
    number: string,
    seen: (step: number, taken: { left: Taken; right: Taken; again?: Taken | undefined }) => void,
  ): Promise<void> {
    const sides = [left, right, ...(twin ? [twin] : [])]
    const variables = sides.map(() => startVariables(options.seed, number))
    await Promise.all(sides.map((side) => side.effects?.begin()))
    for (const [at, step] of sequence.steps.entries()) {
      const last = at === sequence.steps.length - 1
      const tries = await Promise.allSettled(sides.map((side, of) => takeStep(side, step, variables[of]!, last)))
      counts.requests += sides.length * (step.together ?? 1)
      const failed = tries.flatMap((each, of) => (each.status === 'rejected' ? [{ of, why: each.reason }] : []))
      for (const { of, why } of failed) noteUnhealthy(sides[of]!.name, why)
      if (failed.length > 0) return
      const [one, other, third] = tries.map((each) => (each as PromiseFulfilledResult<Taken>).value)
      const again =
        third ?? (isSafe(step) && step.together === undefined ? await askAgain(step, variables[0]!, last) : undefined)
      seen(at, { left: one!, right: other!, again })
    }
  }

  async function askAgain(step: Step, variables: Variables, last: boolean): Promise<Taken | undefined> {
    counts.requests++
    try {
      return await takeStep(left, step, new Map(variables), last)
    } catch (error) {
      noteUnhealthy(left.name, error)
      return undefined
    }
  }

  /** A path that the contract does not know stands for itself, with whatever was put into it. */
  function nameOf(method: string, path: string): string {
    return mask.text(operations.nameOf(method, path))
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
    await takeAll(sequence, String(index), (at, taken) => {
      const step = sequence.steps[at]!
      const before = performance.now()
      const operation = nameOf(step.method, taken.left.asked.path)
      const origin = { sequence: sequence.name, index, step: at }
      counts.compared++
      const { method, path, body, as } = taken.left.asked
      asked.update(stable([method, path, body, as]))
      if (step.recorded !== undefined) {
        recorded.asked++
        if ((taken.left.document as { status?: number }).status === step.recorded) recorded.same++
      }
      tally.compared(operation, compare(taken.left.document, taken.right.document, operation, book), origin)
      if (taken.again)
        tally.askedTwice(operation, compare(taken.left.document, taken.again.document, operation, twinBook))
      for (const [side, { unmet: expected, missed }] of [
        [left.name, taken.left],
        [right.name, taken.right],
      ] as const) {
        const sentences = [...expected.map(sentenceOf), ...(sequence.kind === 'scenario' ? missed : [])]
        for (const what of sentences) unmet.push({ sequence: sequence.name, step: at, side, what })
      }
      counts.comparingMs += performance.now() - before
    })
  }

  async function replay(sequence: Sequence): Promise<Replay[]> {
    const steps: Replay[] = []
    await takeAll(sequence, `replay${counts.replays++}`, (at, { left: one, right: other, again }) => {
      const operation = nameOf(sequence.steps[at]!.method, one.asked.path)
      const spots = (found: Difference[]) => found.map(({ path, kind }) => ({ operation, at: patternOf(path), kind }))
      steps.push({
        sides: spots(compare(one.document, other.document, operation, book)),
        again: again ? spots(compare(one.document, again.document, operation, twinBook)) : [],
      })
    })
    return steps
  }

  /** A finding is real if it comes back each time, and never of one side alone. */
  async function settleSequence(sequence: Sequence, findings: readonly Finding[]): Promise<void> {
    const end = Math.max(...findings.map(({ origin }) => origin.step)) + 1
    const open = new Map(findings.map((finding) => [keyOf(finding), finding.origin.step]))
    for (let time = 0; time < REPLAYS && open.size > 0; time++) {
      const steps = await replay({ ...sequence, steps: sequence.steps.slice(0, end) })
      for (const [key, step] of open) {
        const { sides = [], again = [] } = steps[step] ?? {}
        const verdict = again.some((spot) => keyOf(spot) === key)
          ? 'noise'
          : sides.some((spot) => keyOf(spot) === key)
            ? 'real'
            : 'doubtful'
        settled.set(key, verdict)
        if (verdict !== 'real') open.delete(key)
      }
    }
  }

  function settledJudgement(): Judgement {
    const { doubtful, ...sure } = tally.judge()
    const result: Judgement = { ...sure, doubtful: [] }
    for (const finding of doubtful) {
      const verdict = settled.get(keyOf(finding)) ?? 'doubtful'
      // What does not come back, at a place that varies by itself in another way, is more of that.
      result[verdict === 'doubtful' && finding.varies ? 'noise' : verdict].push(finding)
    }
    return result
  }

  return {
    async run(sequences) {
      for (const sequence of sequences) {
        kept.push(sequence)
        await runOne(sequence, counts.sequences++)
        options.progress?.({ ...counts, differences: tally.judge().real.length })
      }
    },
    replay,
    async settle() {
      const groups = Map.groupBy(tally.judge().doubtful, ({ origin }) => origin.index)
      for (const [index, findings] of [...groups].slice(0, SETTLED_AT_MOST))
        await settleSequence(kept[index]!, findings)
    },
    result: () => ({
      ...settledJudgement(),
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

/**
 * What every sequence may use: `{{unique}}`, a word no other sequence of the run has, and `{{number}}`, a whole number,
 * and `{{other}}`, another; all the same on every side and for the same seed.
 */
function startVariables(seed: number, sequence: string): Variables {
  let hash = 2_166_136_261
  for (const letter of `${seed}/${sequence}`) hash = Math.imul(hash ^ letter.charCodeAt(0), 16_777_619) >>> 0
  const unique = `${hash.toString(36)}${sequence.replace(/\D/g, '')}`.toUpperCase()
  return new Map<string, unknown>([
    ['unique', unique],
    ['number', 1_000_000_000 + hash * 1_000],
    ['other', 1_000_000_999 + hash * 1_000],
  ])
}
