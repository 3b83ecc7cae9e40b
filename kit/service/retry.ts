/** Whether a failed attempt may be made again: allowed by what it was, and by what the others already cost. */

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/** @returns Whether a request of this method changes nothing, whatever becomes of it. */
export const isSafe = (method: string): boolean => SAFE.has(method)

/** How an attempt ended without a final answer; `unavailable` is an answer of 502, 503 or 504. */
export type Failure = 'not-sent' | 'ambiguous' | 'unavailable'

/**
 * @param request.keyed Whether it carries an idempotency key.
 * @returns Whether a second attempt can do no harm: nothing was sent, or doing it twice is doing it once. PUT and DELETE
 *   without a key are not: between the two attempts somebody else's change may lie.
 */
export function mayRepeat(failure: Failure, request: { method: string; keyed: boolean }): boolean {
  return failure === 'not-sent' || isSafe(request.method) || request.keyed
}

export type RetryBudget = {
  /** A first attempt was made. */
  request(): void
  /** @returns Whether one retry may be made now; if so it is counted. */
  spend(): boolean
}

const RATIO = 0.2
const MINIMUM = 3
const WINDOW_MS = 10_000
const SLOTS = 10

/**
 * Retries of at most 20 % of the first attempts of the last 10 s, but always 3: a total outage must not double the load
 * on what is trying to come back (the budget of Finagle and Linkerd).
 * @param now Monotonic milliseconds, for tests.
 */
export function createRetryBudget(now: () => number = () => performance.now()): RetryBudget {
  const slots = Array.from({ length: SLOTS }, () => ({ at: -1, requests: 0, retries: 0 }))
  const slot = () => {
    const at = Math.floor(now() / (WINDOW_MS / SLOTS))
    const one = slots[at % SLOTS]!
    if (one.at !== at) Object.assign(one, { at, requests: 0, retries: 0 })
    return one
  }
  return {
    request() {
      slot().requests++
    },
    spend() {
      const current = slot()
      const recent = slots.filter(({ at }) => at > current.at - SLOTS)
      const requests = recent.reduce((sum, one) => sum + one.requests, 0)
      const retries = recent.reduce((sum, one) => sum + one.retries, 0)
      if (retries >= Math.max(MINIMUM, requests * RATIO)) return false
      current.retries++
      return true
    },
  }
}
