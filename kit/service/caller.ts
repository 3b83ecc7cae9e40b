/** Calls to one other service: deadline, keep-alive, a budget of retries, a breaker, trace context, an identity. */
import CircuitBreaker from 'opossum'
import { Agent } from 'undici'
import { type Answer, attempt } from './attempt.ts'
import { CallError, NotSent } from './call-errors.ts'
import type { InternalSigner } from './internal-tokens.ts'
import type { Logger } from './logger.ts'
import { isRefusal } from './refusal.ts'
import { currentContext } from './request-context.ts'
import { createRetryBudget, type Failure, isSafe, mayRepeat } from './retry.ts'
import { failSpan, withSpan } from './span.ts'
import { childTraceparent } from './traceparent.ts'

export type Call = {
  method: string
  /** Path and query, e.g. `/internal/things/7`. */
  path: string
  /** Sent as JSON. */
  body?: unknown
  /** Sent as `Idempotency-Key`; says that doing it twice is doing it once, so it may be sent again. */
  idempotencyKey?: string
  /** Milliseconds for everything, retries included. */
  deadlineMs?: number
  headers?: Record<string, string>
}

export type Caller = {
  /** @throws NotSent, Ambiguous or Timeout; an answer of any status is returned. */
  call(call: Call): Promise<Answer>
  close(): Promise<void>
}

export type CallerOptions = {
  /** Where; a function is asked for each attempt, so that instances may move. */
  baseUrl: string | (() => string | Promise<string>)
  /** The callee's name: in logs and errors, and the audience of the internal token. */
  name: string
  /** For calls that name none. */
  deadlineMs: number
  /** Signs each call as this process. */
  signer?: InternalSigner
  logger: Logger
}

const MAX_ATTEMPTS = 4
const MAX_ANSWER_BYTES = 10 * 1024 * 1024
/** Opens after half of at least 20 calls within 10 s failed; lets one through after a second. */
const BREAKER = {
  timeout: false as const,
  errorThresholdPercentage: 50,
  volumeThreshold: 20,
  rollingCountTimeout: 10_000,
  resetTimeout: 1_000,
}

/** An answer by which the callee says that it cannot work; the breaker counts it, the caller still returns it. */
class Unavailable extends Error {
  readonly answer: Answer

  constructor(answer: Answer) {
    super(`answered ${answer.status}`)
    this.answer = answer
  }
}

/**
 * @returns A caller with its own connections. Only what was not sent, is safe (GET, HEAD, OPTIONS) or carries an
 *   idempotency key is tried again, at most 4 times in all, within the deadline and within 20 % of all calls. A refusal
 *   (`Banyan-Refused`) is returned at once: it is the context client that knows whom to ask instead.
 */
export function createCaller(options: CallerOptions): Caller {
  const { name, logger } = options
  const dispatcher = new Agent({
    connections: 64,
    // Below every server's own, so that no request is written into a connection that is being closed.
    keepAliveTimeout: 4_000,
    keepAliveMaxTimeout: 30_000,
    connect: { timeout: 2_000 },
    maxResponseSize: MAX_ANSWER_BYTES,
  })
  const budget = createRetryBudget()
  const breaker = new CircuitBreaker(async (call: Call, leftMs: number): Promise<Answer> => {
    const answer = await send(call, leftMs)
    if ([502, 503, 504].includes(answer.status) && !isRefusal(answer)) throw new Unavailable(answer)
    return answer
  }, BREAKER)
  breaker.on('open', () => logger.warn({ callee: name }, 'circuit open'))
  breaker.on('close', () => logger.info({ callee: name }, 'circuit closed'))

  const whereNow = async ({ method, path }: Call): Promise<string> => {
    try {
      return typeof options.baseUrl === 'string' ? options.baseUrl : await options.baseUrl()
    } catch (cause) {
      throw new NotSent({ callee: name, method, path }, 'unreachable', cause)
    }
  }

  const send = async (call: Call, leftMs: number): Promise<Answer> => {
    const url = new URL(call.path, await whereNow(call))
    const attributes = {
      'http.request.method': call.method,
      'server.address': url.hostname,
      'server.port': Number(url.port),
      // Without the query, which may hold what somebody looked for.
      'url.full': `${url.origin}${url.pathname}`,
      'peer.service': name,
    }
    return await withSpan(`${call.method} ${name}`, { kind: 'client', attributes }, async (begun) => {
      const headers = await headersOf(call, begun.traceparent)
      const body = call.body === undefined ? undefined : JSON.stringify(call.body)
      const answer = await attempt({ url, method: call.method, headers, body, leftMs, callee: name }, dispatcher)
      begun.span.setAttribute('http.response.status_code', answer.status)
      if (answer.status >= 400) failSpan(begun.span, String(answer.status))
      return answer
    })
  }

  const headersOf = async (call: Call, traceparent: string | undefined): Promise<Record<string, string>> => {
    const context = currentContext()
    const traced = context && { traceparent: traceparent ?? childTraceparent(context.traceparent) }
    return {
      accept: 'application/json',
      ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(context ? { 'x-request-id': context.requestId, ...traced } : {}),
      ...(call.idempotencyKey ? { 'idempotency-key': call.idempotencyKey } : {}),
      ...(options.signer ? { authorization: `Bearer ${await options.signer.sign(name)}` } : {}),
      ...call.headers,
    }
  }

  async function call(given: Call): Promise<Answer> {
    const what = { ...given, method: given.method.toUpperCase() }
    const end = performance.now() + (what.deadlineMs ?? options.deadlineMs)
    budget.request()
    /**
     * What an earlier attempt left open. It may still be on its way: that a later one was answered no, for whatever
     * reason, or was not sent, does not keep the callee from doing the earlier one afterwards.
     */
    let unclear: (() => Answer) | undefined
    for (let tried = 1; ; tried++) {
      const outcome = await settle(what, end - performance.now())
      if (!outcome.failure) return unclear && outcome.answer.status >= 400 ? unclear() : outcome.answer
      if (outcome.failure !== 'not-sent' && !isSafe(what.method)) unclear = outcome.giveUp
      const repeat = mayRepeat(outcome.failure, { method: what.method, keyed: Boolean(what.idempotencyKey) })
      const wait = 25 * 2 ** (tried - 1) * (0.5 + Math.random() / 2)
      const late = performance.now() + wait >= end
      if (!repeat || outcome.final || late || tried === MAX_ATTEMPTS || !budget.spend())
        return (unclear ?? outcome.giveUp)()
      logger.debug({ callee: name, path: what.path, failure: outcome.failure, tried }, 'trying again')
      await new Promise((resolve) => setTimeout(resolve, wait))
    }
  }

  /** Runs one attempt behind the breaker and says what it was. */
  async function settle(what: Call, leftMs: number): Promise<Outcome> {
    try {
      return { answer: await breaker.fire(what, leftMs) }
    } catch (error) {
      if (error instanceof Unavailable) return { failure: 'unavailable', giveUp: () => error.answer }
      const about = { callee: name, method: what.method, path: what.path }
      // Not to be repeated at once: the breaker is there to keep it from being sent.
      if (isOpen(error))
        return { failure: 'not-sent', final: true, giveUp: thrower(new NotSent(about, 'breaker-open')) }
      if (!(error instanceof CallError) || error.name === 'Timeout') throw error
      return { failure: error instanceof NotSent ? 'not-sent' : 'ambiguous', giveUp: thrower(error) }
    }
  }

  return {
    call,
    async close() {
      breaker.shutdown()
      await dispatcher.destroy()
    },
  }
}

type Outcome =
  | { failure?: never; answer: Answer }
  /** `final`: not to be repeated now. */
  | { failure: Failure; final?: true; giveUp: () => Answer }

const thrower = (error: Error) => (): never => {
  throw error
}

function isOpen(error: unknown): boolean {
  return (error as { code?: string }).code === 'EOPENBREAKER'
}
