import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Readable, Stream } from 'node:stream'
import { createProxyMiddleware, type Plugin } from 'http-proxy-middleware'
import type { PassOn } from './answer.ts'
import { Bag, type Bagged } from './bag.ts'
import { BodyTooLarge, hasBody, NO_BODY, WholeBody } from './body.ts'
import { discard, ignore } from './discard.ts'
import { createSteadyMemory, isLarge, type SteadyMemory } from './steady-memory.ts'
import type { Upstream } from './upstreams.ts'

// One instance of http-proxy-middleware forwards everything to what was decided, so nothing a client sends chooses a
// target. Its default plugins are left out: they format a URL for every answer and answer errors themselves. Requests
// go to the server that it hands its plugins: what it does before that is to parse the path for a filter and to await
// a router, which nobody needs here (docs/decisions/0006).

/**
 * `connect`: nothing was sent. `stale`: a connection broke, which says nothing of its upstream: one that had been used
 * before, and may have been closed at that moment, or one by which the client still sent, what nobody wanted to read to
 * its end. `unavailable`: an answer arrived, and the sender would not take it.
 */
export type Cause = 'connect' | 'stale' | 'connection' | 'deadline' | 'too-large' | 'unavailable'

/** What became of one sending. */
export type Outcome =
  | { readonly kind: 'answered'; readonly status: number }
  /** The upstream promised that nothing was done; the client has seen nothing yet. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'failed'; readonly cause: Cause }
  | { readonly kind: 'gone' }

export interface Sending {
  readonly upstream: Upstream
  /** On a connection of its own, since one that is kept may be as old as the last one. */
  readonly fresh: boolean
  /** A kept body, sent as often as needed; a stream of its own; or null: the request itself, if it has one. */
  readonly body: Buffer | (() => Readable) | null
  /** `performance.now()` at which the client must have had the first byte. */
  readonly deadlineAt: number
  /** Cookies of the answer; asked when its head has arrived. */
  cookies(status: number): readonly string[]
  /** Whether an answer of this status goes to the client; asked when its head has arrived, unless that is a refusal. */
  takes(status: number): boolean
  /** The head of the answer that the client gets has arrived. */
  answered(from: IncomingMessage): void
}

export interface Forward {
  (req: IncomingMessage, res: ServerResponse, sending: Sending): Promise<Outcome>
  /** Passes an upgrade on. */
  upgrade(req: IncomingMessage, socket: Socket, head: Buffer, rising: Rising): void
  close(): void
}

/** Where an upgrade goes. */
export interface Rising {
  readonly upstream: Upstream
  /** Milliseconds for the upstream's answer to it. */
  readonly withinMs: number
  /** The head of an answer has arrived: 101, or a refusal. It goes to the client, unless that was answered by then. */
  onAnswer(from: Pick<IncomingMessage, 'statusCode' | 'headers'>): void
  /** The connection failed, or the time is up. Without an answer, nothing was written to the client. */
  onError(cause: 'connection' | 'deadline'): void
}

interface Attempt extends Bagged {
  readonly sending: Sending
  readonly req: IncomingMessage
  request: ClientRequest | null
  deadlineAt: number
  settled: boolean
  /** Ends the watch over the memory, once for each large body of this attempt. */
  readonly large: (() => void)[]
  settle(outcome: Outcome): void
}

type Carrier = IncomingMessage & {
  [ATTEMPT]?: Attempt
  [UPGRADE]?: Rising
}

const ATTEMPT = Symbol('attempt')
const UPGRADE = Symbol('upgrade')
/** The forwarder's code for an upgrade without an answer in time. */
const UPGRADE_LATE = 'ERR_UPSTREAM_UPGRADE_TIMEOUT'
const SWEEP_MS = 50

export function createForward(passOn: PassOn): Forward {
  const open = new Bag<Attempt>()
  const memory = createSteadyMemory()
  let sweeper: NodeJS.Timeout | null = null
  const sweep = () => {
    expire(open)
    if (open.size > 0 || sweeper === null) return
    clearInterval(sweeper)
    sweeper = null
  }
  let server!: Parameters<Plugin<Carrier, ServerResponse>>[0]
  const handOver: Plugin<Carrier, ServerResponse> = (proxy) => {
    server = proxy
  }
  const middleware = createProxyMiddleware<Carrier, ServerResponse>({
    router: (req, _res, options) => {
      const { upstream, withinMs } = req[UPGRADE]!
      Object.assign(options, { agent: false, upgradeTimeout: withinMs })
      return upstream.target
    },
    ejectPlugins: true,
    plugins: [settleAttempts(memory, passOn), handOver],
  })

  const forward = (req: Carrier, res: ServerResponse, sending: Sending) =>
    new Promise<Outcome>((resolve) => {
      const attempt: Attempt = {
        sending,
        req,
        request: null,
        deadlineAt: sending.deadlineAt,
        settled: false,
        place: -1,
        large: [],
        settle(outcome) {
          if (attempt.settled) return
          attempt.settled = true
          open.delete(attempt)
          res.off('close', onClose)
          for (const end of attempt.large.splice(0)) end()
          resolve(outcome)
        },
      }
      const onClose = () =>
        attempt.settle(res.writableFinished ? { kind: 'answered', status: res.statusCode } : { kind: 'gone' })
      req[ATTEMPT] = attempt
      open.add(attempt)
      sweeper ??= setInterval(sweep, SWEEP_MS)
      if (!Buffer.isBuffer(sending.body) && hasBody(req) && isLarge(req.headers['content-length'])) {
        attempt.large.push(memory.begin())
      }
      res.on('close', onClose)
      const { target, agent } = sending.upstream
      server
        .web(req, res, {
          ...{ target, agent: sending.fresh ? false : agent },
          ...{ buffer: sourceOf(attempt), selfHandleResponse: true },
        })
        .catch((error: Error) => fail(attempt, error))
    })
  return Object.assign(forward, {
    upgrade(req: Carrier, socket: Socket, head: Buffer, rising: Rising) {
      req[UPGRADE] = rising
      middleware.upgrade(req, socket, head)
    },
    close() {
      if (sweeper) clearInterval(sweeper)
      sweeper = null
    },
  })
}

/** What the request's body is read from; undefined: from the request itself. */
function sourceOf(attempt: Attempt): Stream | undefined {
  const { body } = attempt.sending
  if (body === null) return hasBody(attempt.req) ? undefined : NO_BODY
  if (Buffer.isBuffer(body)) return new WholeBody(body)
  return body().on('error', (error) => fail(attempt, error))
}

const settleAttempts =
  (memory: SteadyMemory, passOn: PassOn): Plugin<Carrier, ServerResponse> =>
  (proxy) => {
    proxy.on('proxyReq', (request, req) => {
      const attempt = req[ATTEMPT]
      if (attempt) attempt.request = request
    })
    proxy.on('proxyRes', (from, req, res) => {
      const attempt = req[ATTEMPT]
      if (!attempt || attempt.settled) {
        from.resume()
        return
      }
      if (from.headers['banyan-refused'] !== undefined) {
        // The head is the whole promise: a body that stalls or breaks off takes nothing of it back.
        attempt.settle({ kind: 'refused' })
        discard(from, attempt.request)
        return
      }
      attempt.sending.upstream.keepAlive = from.headers['keep-alive']
      const status = from.statusCode ?? 502
      if (status < 200) {
        // No status at all: passed on, it would throw here, where nobody catches it.
        attempt.settle({ kind: 'failed', cause: 'connection' })
        discard(from, attempt.request)
        return
      }
      if (!attempt.sending.takes(status)) {
        attempt.settle({ kind: 'failed', cause: 'unavailable' })
        discard(from, attempt.request)
        return
      }
      attempt.deadlineAt = Number.POSITIVE_INFINITY
      if (isLarge(from.headers['content-length'])) attempt.large.push(memory.begin())
      from.once('end', () => attempt.settle({ kind: 'answered', status }))
      attempt.sending.answered(from)
      passOn(from, res, attempt.sending.cookies(status))
    })
    proxy.on('proxyReqWs', (request, req) => {
      const answered = (from: IncomingMessage) => req[UPGRADE]?.onAnswer(from)
      request.once('upgrade', answered).once('response', answered)
    })
    proxy.on('error', (error, req) => {
      const attempt = req?.[ATTEMPT]
      if (attempt) fail(attempt, error)
      else req?.[UPGRADE]?.onError('code' in error && error.code === UPGRADE_LATE ? 'deadline' : 'connection')
    })
    proxy.on('econnreset', (_error, req) => req[ATTEMPT]?.settle({ kind: 'gone' }))
  }

function fail(attempt: Attempt, error: Error): void {
  if (error instanceof BodyTooLarge) {
    attempt.request?.destroy()
    attempt.settle({ kind: 'failed', cause: 'too-large' })
  } else if (neverSent(error)) attempt.settle({ kind: 'failed', cause: 'connect' })
  else {
    const isStale = attempt.request?.reusedSocket || !attempt.req.complete
    attempt.settle({ kind: 'failed', cause: isStale ? 'stale' : 'connection' })
  }
}

/**
 * Whether an error says that there was no connection to send anything on. The code does not tell: a connection that
 * stands can time out or lose its route as well.
 */
function neverSent(error: Error & { syscall?: string }): boolean {
  // Several addresses were tried, each in vain.
  if (error instanceof AggregateError) return error.errors.every(neverSent)
  return error.syscall === 'connect' || error.syscall === 'getaddrinfo'
}

/** Ends what has had no answer in time. A body that still arrives gives its upstream the time it takes. */
function expire(open: Bag<Attempt>): void {
  const now = performance.now()
  for (const attempt of open.snapshot()) {
    if (attempt.deadlineAt > now) continue
    if (!attempt.req.complete) {
      attempt.deadlineAt = now + 1_000
      continue
    }
    attempt.settle({ kind: 'failed', cause: 'deadline' })
    // Its error would be taken for one of the next sending.
    attempt.request?.removeAllListeners('error').on('error', ignore).destroy()
  }
}
