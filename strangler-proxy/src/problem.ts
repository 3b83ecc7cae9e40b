import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { titleOf } from '@banyan/kit/service'
import type { SafeHeaders } from './answer.ts'
import { requestIdOf, traceIdOf } from './clean-headers.ts'
import type { Cors } from './gateway/cors.ts'

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
export function answerProblem(
  res: ServerResponse,
  problem: ProxyProblem,
  {
    instance,
    safe,
    cors,
  }: { readonly instance?: string | undefined; readonly safe: SafeHeaders; readonly cors: Cors | null },
): void {
  if (res.destroyed || res.writableEnded) return
  if (res.headersSent) {
    res.destroy()
    return
  }
  // Refused headers have not been cleaned; both take over only what is well-formed.
  const { headers: asked } = res.req
  const body = bodyOf(problem, instance, traceIdOf(asked))
  const headers = { ...headersOf(problem, body), 'x-request-id': requestIdOf(asked), ...Object.fromEntries(safe) }
  // The rest of an unread body would otherwise be taken for the next request.
  if (!res.req.complete) Object.assign(headers, { connection: 'close' })
  res.writeHead(problem.status, [...Object.entries(headers).flat(), ...(cors?.said(asked.origin) ?? [])])
  res.end(res.req.method === 'HEAD' ? undefined : body)
}

/** The same for a connection that asked for an upgrade and has no response object. */
export function refuseUpgrade(socket: Duplex, problem: ProxyProblem): void {
  if (!socket.writable) return
  const body = bodyOf(problem, undefined, traceIdOf({}))
  const headers = Object.entries({ ...headersOf(problem, body), connection: 'close' })
  const head = [`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`, ...headers.map((one) => one.join(': '))]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

function headersOf({ challenge, retryAfter }: ProxyProblem, body: string): Record<string, string | number> {
  return {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    ...(challenge === undefined ? {} : { 'www-authenticate': challenge }),
    ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
  }
}

function bodyOf(problem: ProxyProblem, instance: string | undefined, traceId: string): string {
  const { status, code, detail } = problem
  const type = `urn:banyan:problem:${code}`
  return JSON.stringify({ type, title: titleOf(status), status, code, detail, instance, traceId })
}
