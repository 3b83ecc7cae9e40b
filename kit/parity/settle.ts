/** Runs what was seen too seldom to tell a few times more. */
import type { Sequence } from './step.ts'
import type { Finding, Judgement } from './tally.ts'

export type Spot = { operation: string; at: string; kind: string }
/** What a step differs in, between the sides and of one side asked twice. */
export type Replay = { sides: Spot[]; again: Spot[] }

export type Settler = {
  /** @param sequences by their index */
  settle(judgement: Judgement, sequences: readonly Sequence[]): Promise<void>
  /** The judgement, with what `settle` found of the doubtful. */
  settled(judgement: Judgement): Judgement
}

const REPLAYS = 3
/** Sequences that are run again. */
const SETTLED_AT_MOST = 20
const keyOf = ({ operation, at, kind }: Spot) => `${operation} ${at} ${kind}`

/** @param replay runs a sequence once more, and says what each step differs in */
export function createSettler(replay: (sequence: Sequence) => Promise<Replay[]>): Settler {
  const verdicts = new Map<string, keyof Judgement>()

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
        verdicts.set(key, verdict)
        if (verdict !== 'real') open.delete(key)
      }
    }
  }

  return {
    async settle({ doubtful }, sequences) {
      const groups = Map.groupBy(doubtful, ({ origin }) => origin.index)
      for (const [index, findings] of [...groups].slice(0, SETTLED_AT_MOST))
        await settleSequence(sequences[index]!, findings)
    },
    settled({ doubtful, ...sure }) {
      const result: Judgement = { ...sure, doubtful: [] }
      for (const finding of doubtful) {
        const verdict = verdicts.get(keyOf(finding)) ?? 'doubtful'
        // What does not come back, at a place that varies by itself in another way, is more of that.
        result[verdict === 'doubtful' && finding.varies ? 'noise' : verdict].push(finding)
      }
      return result
    },
  }
}
