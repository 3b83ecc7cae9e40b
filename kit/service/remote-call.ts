/** A port's calls to the service that has the context now: answers and silence become the Problems of this process. */
import type { Answer } from './attempt.ts'
import { CallError, NotSent } from './call-errors.ts'
import type { Call, Caller } from './caller.ts'
import { failPoint } from './fail-points.ts'
import { Problem, problem } from './problem.ts'
import { isRefusal } from './refusal.ts'
import { isSafe } from './retry.ts'

/** A POST unless told. Say `read` of one that changes nothing, only too long for a URL; a GET is one anyway. */
export type RemoteRequest = Omit<Call, 'method'> & { method?: string; read?: boolean }

/** @returns the body of an answer of success @throws Problem */
export type RemoteCall = <T>(operation: string, call: RemoteRequest) => Promise<T>

/** In front of a retry, where a Problem has them. */
const headers = { 'Retry-After': '1' }
const WRITE_MS = 2_000
/** As long as a switch of the context may last: whoever only wants to know something waits for its end. */
const READ_MS = 5_000

/**
 * What the service answers as a problem is thrown as the same Problem, as if it had happened here; of a call without an
 * answer the code says what to assume: `<context>-unreachable` (503: nothing was done, as always of a read),
 * `<context>-unclear` (504: it may have been done, and asking again finds out, if the call carries an idempotency key).
 * @param options.context what the service answers for: in codes, texts and fail points
 * @param options.deadlineMs for one call with its retries; unless told 2,000, and 5,000 for a read
 * @returns passes the fail points `remote-<context>.before-<operation>` and `.after-<operation>`
 */
export function createRemoteCall(options: { context: string; caller: Caller; deadlineMs?: number }): RemoteCall {
  const { context, caller } = options
  return async <T>(operation: string, request: RemoteRequest): Promise<T> => {
    const { method = 'POST', read = isSafe(method), ...call } = request
    const deadlineMs = options.deadlineMs ?? (read ? READ_MS : WRITE_MS)
    await failPoint(`remote-${context}.before-${operation}`)
    const answer = await caller.call({ method, deadlineMs, ...call }).catch((error) => {
      throw error instanceof CallError ? unanswered(context, read, error) : error
    })
    await failPoint(`remote-${context}.after-${operation}`)
    if (answer.status >= 200 && answer.status < 300) return answer.body as T
    throw asProblem(context, read, answer)
  }
}

/**
 * Stands where no service is configured: the monolith as one process owns the context itself and never comes here.
 * @param variable the variable that would say where the service is
 */
export const nowhere = (context: string, variable: string) => async (): Promise<never> => {
  throw unreachable(context, `${context} has moved, and ${variable} does not say where`)
}

function unanswered(context: string, read: boolean, cause: CallError): Problem {
  if (cause instanceof NotSent)
    return unreachable(context, `${context} cannot be reached; nothing was done. Try again.`, cause)
  return read
    ? unreachable(context, `${context} did not answer in time; nothing was done. Try again.`, cause)
    : unclear(context, 'did not answer', cause)
}

const unclear = (context: string, what: string, cause?: CallError): Problem =>
  problem(504, `${context}-unclear`, `${context} ${what}; it may have been done. Ask again.`, { cause, headers })

function asProblem(context: string, read: boolean, answer: Answer): Problem {
  const { type, title, status, code, detail, instance, traceId, ...members } = (
    typeof answer.body === 'object' ? answer.body : {}
  ) as Record<string, unknown>
  const refused = isRefusal(answer)
  // A 401 or 403 is about this process's own token: told to the client of here, it would read as if theirs were wrong.
  const ours = answer.status === 401 || answer.status === 403
  if (answer.status === 504 && !read) return unclear(context, 'answered 504')
  if (typeof code !== 'string' || ours || (answer.status >= 500 && !refused))
    return unreachable(context, `${context} answered ${answer.status}; try again`)
  return new Problem(answer.status, code, String(detail ?? ''), {
    ...members,
    headers: refused ? headersOf(answer) : {},
  })
}

function headersOf(answer: Answer): Record<string, string> {
  const kept = ['Banyan-Refused', 'Retry-After'].flatMap((name) => {
    const value = answer.headers[name.toLowerCase()]
    return typeof value === 'string' ? [[name, value]] : []
  })
  return Object.fromEntries(kept)
}

function unreachable(context: string, detail: string, cause?: CallError): Problem {
  return problem(503, `${context}-unreachable`, detail, { cause, headers })
}
