/** A call's failures, graded by what they leave the caller to assume. An HTTP answer of any status is not one. */

/** Where and what, for the log. */
type About = { callee: string; method: string; path: string }

/** The root: catch this for "no usable answer". */
export abstract class CallError extends Error {
  readonly callee: string

  constructor(about: About, what: string, cause?: unknown) {
    super(`${about.method} ${about.path} at ${about.callee}: ${what}`, { cause })
    this.callee = about.callee
  }
}

/** Certainly nothing was done: no connection came about, the breaker is open, or the callee's owner is this process. */
export class NotSent extends CallError {
  override readonly name = 'NotSent'
  readonly reason: 'unreachable' | 'breaker-open' | 'owner-is-here'

  constructor(about: About, reason: NotSent['reason'], cause?: unknown) {
    super(about, `not sent (${reason})`, cause)
    this.reason = reason
  }
}

/** The connection broke, or the answer cannot be read: it may have been done. */
export class Ambiguous extends CallError {
  override readonly name = 'Ambiguous'

  constructor(about: About, cause: unknown) {
    super(about, 'no whole answer; it may have been done', cause)
  }
}

/** The deadline passed first: it may have been done, or may still be done. */
export class Timeout extends CallError {
  override readonly name = 'Timeout'

  constructor(about: About, deadlineMs: number) {
    super(about, `no answer within ${Math.round(deadlineMs)} ms; it may have been done`)
  }
}
