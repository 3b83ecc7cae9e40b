import { createMask, createTally, type Difference, type Observation, type Rule } from '@banyan/kit/parity/answers'
import { type AskSide, toObservation } from './ask.ts'
import type { Copy, Verdict } from './copy.ts'
import { createLook, type Round, type Seen, still } from './rounds.ts'
import { Unanswered } from './unanswered.ts'

/** What came of a copy, and what is left of the differences in the last round that was asked. */
export interface Judged {
  readonly verdict: Verdict
  readonly last: { readonly round: Round; readonly open: readonly Difference[] } | null
}

/** A difference is a mismatch when it is there each time that the other side has caught up. */
const AGAIN = 3
/** Then the counts begin anew: what varies is learned again soon, and they stay small. */
const COMPARED_AT_MOST = 5_000
const PLACES_AT_MOST = 500

/**
 * Compares what both sides answer to a copy. The owner is asked twice, so that what varies by itself is known. What
 * differs beyond that is asked again: the owner first, then, when the other side has applied all that the owner had,
 * the other side and the owner once more. The other side being late cannot explain what differs then.
 * @param caughtUp resolves when that is so, with false when it is not within its bound
 */
export function createJudge(options: {
  readonly ask: AskSide
  readonly caughtUp: (copy: Copy) => Promise<boolean>
  readonly rules: readonly Rule[]
  readonly today?: () => string
}): (copy: Copy) => Promise<Judged> {
  const { ask, caughtUp, rules, today = () => new Date().toISOString().slice(0, 10) } = options
  const known = new Map<string, ReturnType<typeof begin>>()
  const begin = () => {
    const day = today()
    // Its samples are not looked at, and are masked all the same.
    const tally = createTally(createMask([], { strict: true }), PLACES_AT_MOST)
    return { day, look: createLook(rules, day), tally, compared: 0 }
  }
  const countsOf = (context: string) => {
    const before = known.get(context)
    if (before && before.day === today() && before.compared < COMPARED_AT_MOST) return before
    const made = begin()
    known.set(context, made)
    return made
  }

  return async (copy) => {
    const { rule, owner, at, given } = copy
    const counts = countsOf(copy.context)
    const other = owner === 'monolith' ? 'service' : 'monolith'
    const askOwner = () => answered(ask(copy, at[owner]))
    const askOther = () => answered(ask(copy, at[other]))
    const notNoise = ({ open }: Seen) => open.filter((difference) => !counts.tally.isNoise(rule, difference))
    try {
      const before = given?.by === owner ? toObservation(given.answer) : await askOwner()
      const aside = given?.by === other ? toObservation(given.answer) : await askOther()
      let round: Round = { before, aside, after: await askOwner() }
      const seen = counts.look(rule, round)
      if (given === null)
        return { verdict: seen.open.length > 0 ? 'mismatch' : sameOr(seen), last: { round, open: seen.open } }
      counts.compared++
      counts.tally.compared(rule, seen.sides, NOWHERE)
      counts.tally.askedTwice(rule, seen.again)
      let open = notNoise(seen)
      if (open.length === 0) return { verdict: sameOr(seen), last: null }
      for (let times = 0; times < AGAIN; times++) {
        if (!(await caughtUp(copy))) return { verdict: 'unsettled', last: null }
        round = { before: round.after, aside: await askOther(), after: await askOwner() }
        // A token that is over by now, say: that both sides refuse it alike heals nothing.
        if (round.after.status !== before.status) return { verdict: 'unsettled', last: null }
        open = still(counts.look(rule, round).open, open)
        if (open.length === 0) return { verdict: 'healed', last: null }
      }
      return { verdict: 'mismatch', last: { round, open } }
    } catch (error) {
      if (error instanceof Unanswered) return { verdict: 'unanswered', last: null }
      throw error
    }
  }
}

const NOWHERE = { sequence: '', index: 0, step: 0 }

const sameOr = ({ sides }: Seen): Verdict => (sides.length === 0 ? 'same' : 'noise')

async function answered(asked: Promise<Observation>): Promise<Observation> {
  try {
    return await asked
  } catch (error) {
    throw error instanceof Unanswered ? error : new Unanswered((error as Error).message)
  }
}
