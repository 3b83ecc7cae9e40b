import type { Ownership } from '@banyan/kit/ownership'

/**
 * The phases at rest in which both sides hold the whole of a context's data. Not while a switch is under way: its few
 * seconds are the context's tightest, and who owns it may change between an answer and its copy.
 */
const AT_REST = new Set(['ready', 'switched'])

/** Why the other side's answer would say nothing; null when it would. */
export type OutOfStep = 'not-in-step' | 'behind'

/**
 * Whether a context's other side follows its owner closely enough to be compared. Pure.
 * @param now the control database's time
 * @param maxLagMs how long ago the last change that has arrived there may have been made
 */
export function outOfStep(known: Ownership | undefined, now: Date, maxLagMs: number): OutOfStep | null {
  if (known === undefined || !AT_REST.has(known.phase)) return 'not-in-step'
  return lagOf(known, now) <= maxLagMs ? null : 'behind'
}

/** Milliseconds since the last heartbeat that has been applied on the other side; infinite when none ever was. */
export function lagOf({ heartbeatApplied }: Ownership, now: Date): number {
  return heartbeatApplied === null ? Number.POSITIVE_INFINITY : Math.max(0, now.getTime() - heartbeatApplied.getTime())
}
