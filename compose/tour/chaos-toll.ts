/** Which failures of shoppers a kill answers for. */
import type { Seen } from '../shoppers/measure.ts'

/**
 * A process that was away; `context` is the one that it serves, where it serves but one. Times are this machine's clock
 * in milliseconds; `until` is when it served again.
 */
export type Absence = { process: string; context?: string | undefined; from: number; until: number }

/** What the proxy says of whoever it asks, and a process of the context that it asks another one for. */
const GONE =
  /^(?:upstream-unreachable|unrouted-unreachable|upstream-timeout|no-instance|([a-z]+)-(?:unreachable|unclear))$/

/**
 * How much longer those who asked it may keep from asking, in milliseconds: their breaker lets one call through a second
 * after it opened, and closes with its answer.
 */
const BREAKER_MS = 1_200

/**
 * Whether a failed request was at the killed process, or came for it while it was away: its time meets the absence, and
 * it says that somebody did not answer, and of what context if not the proxy says so; or it came a moment later, to one
 * whose breaker was still open. A connection that broke is the proxy's alone, for shoppers reach nobody else, and of a
 * mover no request knows.
 */
export function isAt({ process, context, from, until }: Absence, { startedAt, ms, status, code }: Seen): boolean {
  if (startedAt + ms < from || process === 'mover') return false
  const found = GONE.exec(code ?? '')
  const breaker = found?.[1] === undefined ? 0 : BREAKER_MS
  if (startedAt > until + breaker) return false
  if (process === 'proxy') return status === undefined
  return found !== null && (context === undefined || found[1] === undefined || found[1] === context)
}

/** How many of these were. */
export function failedAt(absence: Absence, failures: readonly Seen[]): number {
  return failures.filter((seen) => isAt(absence, seen)).length
}
