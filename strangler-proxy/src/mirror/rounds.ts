import {
  compare,
  createRuleBook,
  type Difference,
  type Observation,
  patternOf,
  type Rule,
} from '@banyan/kit/parity/answers'

/** One round: the owner asked twice, and the other side in between. */
export interface Round {
  readonly before: Observation
  readonly aside: Observation
  readonly after: Observation
}

/** What a round shows: how the sides differ, how the owner differs from itself, and what the latter leaves open. */
export interface Seen {
  readonly sides: readonly Difference[]
  readonly again: readonly Difference[]
  readonly open: readonly Difference[]
}

/** @param today as `2027-03-31`: rules hold until their day */
export function createLook(rules: readonly Rule[], today: string): (rule: string, round: Round) => Seen {
  const book = createRuleBook(rules, today)
  // Ids that pair with the other side's, and with the owner's own, pair in ways of their own.
  const twinBook = createRuleBook(rules, today)
  return (rule, { before, aside, after }) => {
    const sides = compare(before, aside, rule, book)
    const again = compare(before, after, rule, twinBook)
    return { sides, again, open: without(sides, again) }
  }
}

/**
 * The differences whose place and kind are not among the others. A field whose value the owner varies by itself still
 * has its type and its form compared: those are other kinds.
 */
export function without(differences: readonly Difference[], others: readonly Difference[]): Difference[] {
  const known = new Set(others.map(placeOf))
  return differences.filter((difference) => !known.has(placeOf(difference)))
}

/** The differences that were there before as well. */
export function still(differences: readonly Difference[], before: readonly Difference[]): Difference[] {
  const known = new Set(before.map(placeOf))
  return differences.filter((difference) => known.has(placeOf(difference)))
}

export const placeOf = ({ path, kind }: Difference): string => `${patternOf(path)} ${kind}`
