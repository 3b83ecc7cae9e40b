/** An answer that is not a success, thrown from anywhere and rendered once, as RFC 9457 problem details. */

type Extra = { headers?: Record<string, string>; cause?: unknown; [member: string]: unknown }

/** Carries a stable `code` (for programs) and a `detail` (for people: what was seen, what to do). */
export class Problem extends Error {
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly headers: Readonly<Record<string, string>>
  /** Further members of the answer's body, e.g. the fields that were wrong. */
  readonly members: Readonly<Record<string, unknown>>

  constructor(status: number, code: string, detail: string, extra: Extra = {}) {
    const { headers = {}, cause, ...members } = extra
    super(`${code}: ${detail}`, { cause })
    this.name = 'Problem'
    this.status = status
    this.code = code
    this.detail = detail
    this.headers = headers
    this.members = members
  }
}

/**
 * @param status HTTP status.
 * @param code Stable, kebab-case; clients may branch on it.
 * @param detail What was seen and what to do, for a person.
 * @param extra `headers` to send, the `cause` to log, and any further members of the body.
 */
export function problem(status: number, code: string, detail: string, extra?: Extra): Problem {
  return new Problem(status, code, detail, extra)
}
