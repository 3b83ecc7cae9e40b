/** The one place where a thrown error becomes an answer. */
import { STATUS_CODES } from 'node:http'
import type { ErrorRequestHandler } from 'express'
import type { Logger } from './logger.ts'
import { Problem } from './problem.ts'
import { refusal, type Side } from './refusal.ts'
import { currentContext } from './request-context.ts'
import { traceIdOf } from './traceparent.ts'

/** What Node still calls as older texts do. */
const RENAMED: Record<number, string> = { 413: 'Content Too Large', 422: 'Unprocessable Content' }

/**
 * Express error handler: answers `application/problem+json` (RFC 9457) and logs what is our fault.
 * @param options.side Which side this process is; decides between `421 not-owner` and `503 fenced`.
 */
export function problemDetails(options: { logger: Logger; side?: Side }): ErrorRequestHandler {
  return (error, req, res, next) => {
    const found = toProblem(error, options.side)
    if (found.status >= 500 && found.code !== 'fenced') options.logger.error({ err: error, code: found.code }, 'failed')
    // Half an answer is out: only breaking the connection tells the client that the rest is missing.
    if (res.headersSent) return next(error)
    res.status(found.status).set(found.headers).type('application/problem+json')
    res.send(JSON.stringify(problemBody(found, req.originalUrl.split('?')[0] ?? '/')))
  }
}

/** @returns What a status is called today (RFC 9110). */
export const titleOf = (status: number): string => RENAMED[status] ?? STATUS_CODES[status] ?? 'Error'

/** @returns The members of RFC 9457, the stable `code`, and the trace to ask about. */
export function problemBody(found: Problem, instance: string): Record<string, unknown> {
  const context = currentContext()
  return {
    ...found.members,
    type: `urn:banyan:problem:${found.code}`,
    title: titleOf(found.status),
    status: found.status,
    code: found.code,
    detail: found.detail,
    instance,
    ...(context ? { traceId: traceIdOf(context.traceparent) } : {}),
  }
}

/**
 * @param error Anything thrown: a Problem, a Zod error, a body parser's, a database's.
 * @param side Which side this process is; `monolith` unless told.
 * @returns The Problem to answer with. Nothing of an unexpected error reaches the client.
 */
export function toProblem(error: unknown, side: Side = 'monolith'): Problem {
  if (error instanceof Problem) return error
  if (!isObject(error)) return unexpected(error)
  return (
    fromDatabase(error, side) ??
    fromZod(error) ??
    fromBodyParser(error) ??
    (error.cause instanceof Error ? fromDatabase(error.cause as never, side) : undefined) ??
    unexpected(error)
  )
}

/** @returns Whether an error, or its cause, says that the database cannot be reached or has no connection left. */
export function isDatabaseAway(error: unknown): boolean {
  return toProblem(error).code === 'database-unavailable'
}

type Thrown = Record<string, unknown>

/** BN001 is the fence; its DETAIL says whose the context is. Nothing was done: the transaction is gone. */
function fromDatabase(error: Thrown, side: Side): Problem | undefined {
  const code = typeof error.code === 'string' ? error.code : ''
  if (code === 'BN001') {
    const detail = String(error.detail ?? '')
    const context = /\bcontext=(\S+)/.exec(detail)?.[1] ?? 'this context'
    return refusal(context, /\bowner=(\S+)/.exec(detail)?.[1] ?? 'moving', side)
  }
  const again = { headers: { 'Retry-After': '1' }, cause: error }
  if (code === '40001' || code === '40P01' || code === '55P03')
    return new Problem(503, 'busy', 'The data was changed by others at the same moment. Try again.', again)
  if (/^(08...|57P0[1-3]|53300)$/.test(code) || isLostConnection(error, code))
    return new Problem(503, 'database-unavailable', 'The database cannot be reached. Try again shortly.', again)
  return undefined
}

/** What the driver and the pool throw when there is no server to answer with an SQLSTATE. */
function isLostConnection(error: Thrown, code: string): boolean {
  if (error.name === 'KnexTimeoutError') return true
  if (error.syscall === 'connect' && /^(ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND)$/.test(code)) return true
  return /^Connection terminated|^timeout exceeded when trying to connect/.test(String(error.message ?? ''))
}

function fromZod(error: Thrown): Problem | undefined {
  if (error.name !== 'ZodError' && error.name !== '$ZodError') return undefined
  const issues = (error.issues ?? []) as { path: PropertyKey[]; message: string; code: string }[]
  const fields = issues.map(({ path, message, code }) => ({ path: path.map(String).join('.'), message, code }))
  const named = fields.map((field) => field.path || '(body)').join(', ')
  return new Problem(422, 'invalid-request', `Not as required: ${named}. See "fields".`, { fields })
}

/** body-parser and Express mark the client's faults with a 4xx status and, mostly, a `type`. */
function fromBodyParser(error: Thrown): Problem | undefined {
  const status = Number(error.status)
  if (!(status >= 400 && status < 500)) return undefined
  switch (error.type) {
    case 'entity.parse.failed':
      return new Problem(400, 'malformed-json', 'The body is not valid JSON.')
    case 'entity.too.large':
      return new Problem(413, 'body-too-large', `The body is larger than ${Number(error.limit)} bytes.`)
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return new Problem(415, 'unsupported-encoding', 'Send the body as UTF-8 JSON, plain or gzip.')
    default:
      return new Problem(status, 'malformed-request', 'The request cannot be read: check path, headers and body.')
  }
}

function unexpected(cause: unknown): Problem {
  return new Problem(500, 'internal-error', 'Something went wrong on our side. Give the traceId when you report it.', {
    cause,
  })
}

function isObject(value: unknown): value is Thrown {
  return typeof value === 'object' && value !== null
}
