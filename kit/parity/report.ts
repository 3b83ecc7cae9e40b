import type { RunResult } from './run.ts'
import type { Finding } from './tally.ts'

export type Verdict = 'alike' | 'different' | 'inconclusive'

/** The one-line command that shows a difference again, and the requests behind it. */
export type Reproduction = {
  command: string
  requests: string[]
  /** Whether these are the fewest that were found; else they are those by which the difference was seen. */
  shortened: boolean
}

/** How far shorter sequences were looked for, of all differences together. */
export type Search = {
  /** Sequences that were run. */
  runs: number
  /** How many there could be. */
  most: number
  /** Differences for which none was left. */
  unsought: number
}

export type Report = {
  context: string
  verdict: Verdict
  /** Why, in sentences; the first is the headline. */
  reasons: string[]
  sides: { left: string; right: string }
  /** What they ran; null for a side that does not say. */
  builds: { left: string | null; right: string | null }
  seed: number
  /** ISO 8601. */
  at: string
  seconds: number
  requests: number
  compared: number
  requestsPerSecond: number
  /** Of the whole time. */
  comparerShare: number
  /** Requests that were recorded, and how many the left answered with the recorded status. */
  recorded: { asked: number; same: number }
  /** A digest of every request, in order: two runs that show the same one asked the same. */
  asked: string
  operations: RunResult['operations']
  /** Operations of the contract that were never compared. */
  uncovered: string[]
  /** Those that have an answer of success, 2xx, and never gave it: the left refused them each time. */
  onlyRefused: string[]
  differences: (Finding & { reproduction?: Reproduction | undefined })[]
  search: Search
  doubtful: Finding[]
  noise: Finding[]
  unmet: RunResult['unmet']
  unhealthy: RunResult['unhealthy']
  rules: {
    at: string
    /** Where it alone holds. */
    operation?: string | undefined
    kind: string
    reason: string
    until: string
    used: number
    expired: boolean
  }[]
}

/** Exit code of a run: nothing compared is never 0. */
export const EXIT_CODES: Readonly<Record<Verdict, 0 | 1 | 2>> = { alike: 0, different: 1, inconclusive: 2 }

/**
 * Decides, and puts everything that is known into one value, from which all reports are written.
 * @param options.minimum comparisons below which nothing is proven
 * @param options.faithful share of recorded requests that must be answered as they were, or nothing is proven
 * @param options.partial whether rules may be unused, since only a part of the context was asked for
 * @param options.unseen what of a step was not looked at, `rows` or `events`: a rule for it may be unused
 * @param options.coverage whether an operation that was never compared, or only refused, proves nothing
 * @param options.doubts why nothing is proven, in sentences, besides what the result says
 * @param options.reproductions by `operation at kind`
 * @param options.search how far they were looked for; not at all without it
 */
export function createReport(
  result: RunResult,
  options: {
    context: string
    sides: { left: string; right: string }
    builds: Report['builds']
    seed: number
    at: string
    minimum: number
    faithful?: number | undefined
    partial?: boolean | undefined
    unseen?: readonly string[] | undefined
    coverage?: boolean | undefined
    doubts?: readonly string[] | undefined
    /** Of the contract; `succeeds` says whether it has an answer of success. */
    operations: readonly { operationId: string; succeeds: boolean }[]
    reproductions?: ReadonlyMap<string, Reproduction> | undefined
    search?: Search | undefined
  },
): Report {
  const seconds = result.durationMs / 1_000
  const succeeded = new Map(result.operations.map(({ operation, succeeded }) => [operation, succeeded]))
  const named = (these: typeof options.operations) => these.map(({ operationId }) => operationId)
  const uncovered = named(options.operations.filter(({ operationId }) => !succeeded.has(operationId)))
  const onlyRefused = named(options.operations.filter((one) => one.succeeds && succeeded.get(one.operationId) === 0))
  const gaps = [
    ...(uncovered.length > 0 ? [`never compared: ${uncovered.join(', ')}`] : []),
    ...(onlyRefused.length > 0 ? [`only refused: ${onlyRefused.join(', ')}`] : []),
  ]
  const doubts = [...(options.doubts ?? []), ...(options.coverage ? gaps : [])]
  const { verdict, reasons } = decide(result, { ...options, doubts })
  return {
    context: options.context,
    verdict,
    reasons,
    sides: options.sides,
    builds: options.builds,
    seed: options.seed,
    at: options.at,
    seconds: round(seconds, 10),
    requests: result.requests,
    compared: result.compared,
    requestsPerSecond: seconds > 0 ? round(result.requests / seconds, 10) : 0,
    comparerShare: result.durationMs > 0 ? round(result.comparingMs / result.durationMs, 1_000) : 0,
    recorded: result.recorded,
    asked: result.asked,
    operations: [...result.operations].sort((a, b) => (a.operation < b.operation ? -1 : 1)),
    uncovered,
    onlyRefused,
    differences: result.real.map((finding) => {
      const reproduction = options.reproductions?.get(spotOf(finding))
      return { ...finding, ...(reproduction ? { reproduction } : {}) }
    }),
    search: options.search ?? { runs: 0, most: 0, unsought: 0 },
    doubtful: result.doubtful,
    noise: result.noise,
    unmet: result.unmet,
    unhealthy: result.unhealthy,
    rules: result.rules.map(({ rule: { at, operation, reason, until }, kind, used, expired }) => ({
      at,
      operation,
      kind,
      reason,
      until,
      used,
      expired,
    })),
  }
}

/** What names a difference: reproductions are looked up by it. */
export const spotOf = ({ operation, at, kind }: { operation: string; at: string; kind: string }) =>
  `${operation} ${at} ${kind}`

/** @returns a sentence for whoever wonders why a sequence is so long; undefined where the search came to its end */
export function searchEnded({ search: { runs, most, unsought } }: Pick<Report, 'search'>): string | undefined {
  if (runs < most || most === 0) return undefined
  const rest = unsought > 0 ? `; for ${count(unsought, 'difference')} none was looked for` : ''
  return `The search for shorter sequences ended after ${count(runs, 'run')}, as many as --tries allows${rest}.`
}

function decide(
  result: RunResult,
  {
    minimum,
    faithful = 0,
    partial = false,
    unseen = [],
    doubts: known = [],
  }: Pick<Parameters<typeof createReport>[1], 'minimum' | 'faithful' | 'partial' | 'unseen' | 'doubts'>,
): { verdict: Verdict; reasons: string[] } {
  const { real, unmet, rules, unhealthy, doubtful, compared, recorded } = result
  const isUnseen = (at: string) =>
    unseen.some((what) => [`$.${what}`, '$..', '$.*'].some((start) => at.startsWith(start)))
  const failures = [
    ...(real.length > 0 ? [`${count(real.length, 'difference')} that no rule allows and no noise explains`] : []),
    ...(unmet.length > 0 ? [`${count(unmet.length, 'expectation')} of the scenarios not met`] : []),
    ...rules.filter((rule) => rule.expired).map(({ rule }) => `the rule at ${placeOf(rule)} ended on ${rule.until}`),
    ...rules
      .filter((rule) => !partial && !rule.expired && rule.used === 0 && !isUnseen(rule.rule.at))
      .map(({ rule }) => `the rule at ${placeOf(rule)} matched nothing; take it out`),
  ]
  const doubts = [
    ...known,
    ...unhealthy.map(({ side, what, times }) => `${side} gave no answer ${count(times, 'time')}: ${what}`),
    ...(compared < minimum ? [`only ${count(compared, 'comparison')}, and ${minimum} are the least that prove`] : []),
    ...(recorded.same < recorded.asked * faithful
      ? [`only ${recorded.same} of ${recorded.asked} recorded requests were answered as they had been`]
      : []),
    ...(doubtful.length > 0
      ? [`${count(doubtful.length, 'difference')} seen that did not come back when asked for`]
      : []),
  ]
  // A rule can be unused because a side was away; whatever was seen to differ is different all the same.
  if (real.length > 0 || (failures.length > 0 && doubts.length === 0))
    return { verdict: 'different', reasons: [...failures, ...doubts] }
  if (doubts.length > 0) return { verdict: 'inconclusive', reasons: [...doubts, ...failures] }
  return { verdict: 'alike', reasons: [`${count(compared, 'comparison')} without a difference`] }
}

/** Two rules of one place may hold for operations of their own. */
export const placeOf = ({ at, operation }: { at: string; operation?: string | undefined }) =>
  operation === undefined ? at : `${at} of ${operation}`
const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`
const round = (value: number, parts: number) => Math.round(value * parts) / parts
