import type { Outcome } from './forward.ts'
import type { ProxyProblem } from './problem.ts'
import type { Route } from './routes/route.ts'

/** What follows an outcome: nothing, the same request once more, or a problem for the client. */
export type Next =
  | { readonly kind: 'done' }
  | { readonly kind: 'again'; readonly why: 'refused'; readonly afterMs: number }
  /**
   * `free`: it cost the upstream nothing, or was paid for; else it takes from the budget, or ends in the problem.
   * `same`: nothing is known against the instance.
   */
  | {
      readonly kind: 'again'
      readonly why: 'connection' | 'timeout' | 'unavailable'
      readonly free: boolean
      readonly same: boolean
      readonly otherwise: ProxyProblem
    }
  | { readonly kind: 'problem'; readonly problem: ProxyProblem }

export interface Circumstances {
  readonly route: Route | null
  readonly method: string
  /** Whether all of the body is kept, so that the request can be sent again at all. */
  readonly repeatable: boolean
  readonly idempotencyKey: boolean
  /** How often it was sent again so far, by cause. */
  readonly refusals: number
  readonly failures: number
  readonly stale: number
  /** Whether another instance, or the other side, may be asked. */
  readonly elsewhere: boolean
  /** Milliseconds left of the route's deadline. */
  readonly leftMs: number
}

const DONE: Next = { kind: 'done' }
const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 250
/** Sendings that fail at most; every one after the first two has to go to another place. */
const MOST_FAILURES = 3

/**
 * Whether a request is sent again. Pure.
 * A refusal promised that nothing was done: again, until the deadline. After a lost connection, a time that is up or an
 * answer that says "unavailable" that promise is missing: again only where nothing can have been sent, the method is
 * safe and its rule does not say that it writes, or the route says a repetition is harmless.
 */
export function afterOutcome(outcome: Outcome, seen: Circumstances): Next {
  if (outcome.kind === 'answered' || outcome.kind === 'gone') return DONE
  if (outcome.kind === 'refused') {
    if (seen.route === null) return { kind: 'problem', problem: UNROUTED }
    const afterMs = Math.min(FIRST_PAUSE_MS * 2 ** seen.refusals, LONGEST_PAUSE_MS)
    if (seen.repeatable && seen.leftMs > afterMs) return { kind: 'again', why: 'refused', afterMs }
    return { kind: 'problem', problem: MOVING }
  }
  const { cause } = outcome
  if (cause === 'too-large') return { kind: 'problem', problem: TOO_LARGE }
  const otherwise = cause === 'deadline' ? TOO_LATE : seen.route === null ? UNROUTED_UNREACHABLE : UNREACHABLE
  const harmless = (cause === 'connect' || isHarmless(seen)) && seen.repeatable && seen.leftMs > 0
  // Once, a connection that was already being closed says nothing of its upstream.
  if (harmless && cause === 'stale' && seen.stale === 0)
    return { kind: 'again', why: 'connection', free: true, same: true, otherwise }
  const somewhere = seen.elsewhere ? seen.failures < MOST_FAILURES - 1 : seen.failures === 0 && cause !== 'deadline'
  if (!harmless || !somewhere) return { kind: 'problem', problem: otherwise }
  const why = cause === 'deadline' ? 'timeout' : cause === 'unavailable' ? cause : 'connection'
  return { kind: 'again', why, free: cause === 'connect' || cause === 'unavailable', same: false, otherwise }
}

function isHarmless({ route, method, idempotencyKey }: Circumstances): boolean {
  if (route?.access !== 'write' && (method === 'GET' || method === 'HEAD')) return true
  return route?.resend === 'always' || (route?.resend === 'idempotency-key' && idempotencyKey)
}

/** The context changes its owner and the request could not wait or be sent again: nothing was done. */
export const MOVING: ProxyProblem = {
  status: 503,
  code: 'context-moving',
  detail: 'The data this request writes is changing its home. Nothing was done; send it again.',
  retryAfter: 1,
}
/** The hold, or the room for those who wait, is used up. */
export const HOLD_OVER: ProxyProblem = { ...MOVING, code: 'hold-over' }
/** The monolith no longer owns what this path writes, and the route table does not say who does. */
const UNROUTED: ProxyProblem = {
  ...MOVING,
  code: 'unrouted-write',
  detail: 'Nothing was done: the data this path writes has moved, and no rule of the route table names the path.',
}
/** Said apart, because the remedy is another one: where the monolith is gone for good, nothing will ever answer here. */
const UNROUTED_UNREACHABLE: ProxyProblem = {
  status: 502,
  code: 'unrouted-unreachable',
  detail: 'No rule of the route table names this path, so it goes to the monolith, which cannot be reached.',
}
export const TOO_LARGE: ProxyProblem = {
  status: 413,
  code: 'body-too-large',
  detail: 'The body is longer than this route accepts. Send less.',
}
export const TOO_LATE: ProxyProblem = {
  status: 504,
  code: 'upstream-timeout',
  detail: 'No answer came within the deadline of this route. Whether the request was carried out is not known.',
}
/** So many requests failed of late that no more are sent for a moment. */
export const FAILING: ProxyProblem = {
  status: 503,
  code: 'upstream-failing',
  detail: 'What answers this has failed too often in the last second. Nothing was done; send it again.',
  retryAfter: 1,
}
export const UNREACHABLE: ProxyProblem = {
  status: 502,
  code: 'upstream-unreachable',
  detail: 'The connection to the process that answers this failed. Try again shortly.',
}
