import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { requestIdOf, traceIdOf } from './clean-headers.ts'

/** An answer of the proxy's own: RFC 9457 problem details with a stable code, in the form that the services give theirs. */
export interface ProxyProblem {
  readonly status: number
  readonly code: string
  /** What was seen and what to do; never an upstream's address. */
  readonly detail: string
  /** Seconds after which trying again makes sense. */
  readonly retryAfter?: number
  /** What a client has to show: the value of WWW-Authenticate. */
  readonly challenge?: string
}

/** There is no monolith any more, which had whatever no rule names, and said the same of what it had not. */
export const NO_ROUTE: ProxyProblem = {
  status: 404,
  code: 'not-found',
  detail: 'No rule of the route table names this path.',
}

/** Answers with a problem, unless an answer has begun; then the connection is cut, so that nobody takes it for whole. */
export function answerProblem(res: ServerResponse, problem: ProxyProblem, instance: string | undefined): void {
  if (res.destroyed || res.writableEnded) return
  if (res.headersSent) {
    res.destroy()
    return
  }
  // Refused headers have not been cleaned; both take over only what is well-formed.
  const { headers: asked } = res.req
  const body = bodyOf(problem, instance, traceIdOf(asked))
  const headers: Record<string, string | number> = {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': requestIdOf(asked),
  }
  if (problem.challenge !== undefined) headers['www-authenticate'] = problem.challenge
  if (problem.retryAfter !== undefined) headers['retry-after'] = problem.retryAfter
  // The rest of an unread body would otherwise be taken for the next request.
  if (!res.req.complete) headers.connection = 'close'
  res.writeHead(problem.status, headers)
  res.end(res.req.method === 'HEAD' ? undefined : body)
}

/** The same for a connection that asked for an upgrade and has no response object. */
export function refuseUpgrade(socket: Duplex, problem: ProxyProblem): void {
  if (!socket.writable) return
  const body = bodyOf(problem, undefined, traceIdOf({}))
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
}

function bodyOf(problem: ProxyProblem, instance: string | undefined, traceId: string): string {
  const { status, code, detail } = problem
  const type = `urn:banyan:problem:${code}`
  return JSON.stringify({ type, title: STATUS_CODES[status], status, code, detail, instance, traceId })
}
