export interface RetryPolicy {
  /** How often a handler is tried before its message goes to the dead letters. */
  attempts: number
  /** The pause after the first failure, in milliseconds; doubled by each further one. */
  baseMs: number
  maxMs: number
}

export const DEFAULT_RETRY: RetryPolicy = { attempts: 6, baseMs: 250, maxMs: 30_000 }

/** Starts of a message that never ended before it is taken to kill the process. */
export const MAX_STARTS = 3

/**
 * The pause after the given number of failed attempts: exponential, within 20 % either way, so that what failed
 * together does not come back together.
 * @param random from 0 up to 1
 */
export function backoffMs(policy: RetryPolicy, attempts: number, random: number = Math.random()): number {
  const middle = Math.min(policy.maxMs, policy.baseMs * 2 ** (attempts - 1))
  return middle * (0.8 + 0.4 * random)
}
