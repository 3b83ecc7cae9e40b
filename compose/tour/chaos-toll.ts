/** Which failures of shoppers a kill answers for. */
import type { Seen } from '../shoppers/measure.ts'

/** A process that was away. Times are this machine's clock in milliseconds; `until` is when it served again. */
export type Absence = { process: string; from: number; until: number }

/** What whoever waits for a process says when it is gone: the proxy of a service, a service of another one. */
const GONE = /^(upstream-unreachable|unrouted-unreachable|upstream-timeout|no-instance|[a-z]+-(unreachable|unclear))$/

/**
 * Whether a failed request was at the killed process, or came for it while it was away: its time meets the absence, and
 * it says that somebody did not answer. A connection that broke is the proxy's alone, for shoppers reach nobody else,
 * and of a mover no request knows.
 */
export function isAt({ process, from, until }: Absence, { startedAt, ms, status, code }: Seen): boolean {
  if (startedAt > until || startedAt + ms < from || process === 'mover') return false
  return process === 'proxy' ? status === undefined : code !== undefined && GONE.test(code)
}

/** How many of these were. */
export function failedAt(absence: Absence, failures: readonly Seen[]): number {
  return failures.filter((seen) => isAt(absence, seen)).length
}
