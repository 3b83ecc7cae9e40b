import { randomBytes, randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { CARRIES_REQUEST } from './stripped.ts'

// Runs first, on every route. What a client says about who it is, where it comes from or how this hop works never
// reaches an upstream; what the upstream may believe is set here, after the stripping.

/** What the services take over, too: a client's name for a request is the same one whoever answers. */
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

const prefix = randomUUID()
let requests = 0

/** Unique like a UUID, without the cost of one per request. */
function newRequestId(): string {
  requests += 1
  return `${prefix}-${requests.toString(36)}`
}

const KEPT_THOUGH_NAMED: readonly string[] = CARRIES_REQUEST

export interface CleanOptions {
  /** How many proxies in front of this one write X-Forwarded-For; the entries they added are kept. */
  readonly trustedHops: number
  /** Whether a header of this name, in lower case, is taken from clients. */
  isStripped(name: string): boolean
}

/**
 * Replaces the request's headers by what an upstream may see. Returns why the request must be refused with 400, or null.
 */
export function cleanHeaders(req: IncomingMessage, options: CleanOptions): string | null {
  const dirty = req.headers
  const coding = dirty['transfer-encoding']
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    return 'only the transfer coding "chunked" is accepted'
  if (hostsOf(req.rawHeaders) > 1) return 'a request has one Host'
  const named = namedByConnection(dirty.connection)
  const clean: IncomingHttpHeaders = {}
  for (const name in dirty) {
    if (options.isStripped(name) || named?.includes(name)) continue
    clean[name] = dirty[name]
  }
  if (coding !== undefined) clean['transfer-encoding'] = 'chunked'
  clean['x-forwarded-for'] = forwardedFor(req, options.trustedHops)
  clean['x-forwarded-proto'] = forwardedProto(req, options.trustedHops)
  if (dirty.host !== undefined) clean['x-forwarded-host'] = dirty.host
  clean['x-request-id'] = requestIdOf(dirty)
  const trace = traceparentOf(dirty)
  // Where it told none, trace.ts begins one: a parent made up here would be missing from the trace.
  if (trace !== null) {
    clean.traceparent = trace
    if (dirty.tracestate !== undefined) clean.tracestate = dirty.tracestate
  }
  req.headers = clean
  return null
}

/** The client's name for the request if it is harmless, else a new one; of clean headers the one that is there. */
export function requestIdOf(headers: IncomingHttpHeaders): string {
  const id = headers['x-request-id']
  return typeof id === 'string' && REQUEST_ID.test(id) ? id : newRequestId()
}

/** The trace that the request belongs to, 32 hexadecimal digits; a new one where it does not say. */
export function traceIdOf(headers: IncomingHttpHeaders): string {
  return traceparentOf(headers)?.slice(3, 35) ?? randomBytes(16).toString('hex')
}

function traceparentOf({ traceparent }: IncomingHttpHeaders): string | null {
  return typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? traceparent : null
}

function namedByConnection(connection: string | undefined): string[] | null {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return null
  return connection
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => !KEPT_THOUGH_NAMED.includes(name))
}

function hostsOf(raw: readonly string[]): number {
  let hosts = 0
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  return hosts
}

/** Whom a request came by: what the trusted proxies in front of this one saw, and the peer. */
export function forwardedFor(req: IncomingMessage, trustedHops: number): string {
  const peer = req.socket.remoteAddress ?? 'unknown'
  if (trustedHops === 0) return peer
  return [...trusted(req.headers['x-forwarded-for'], trustedHops), peer].join(', ')
}

/** How the client came to the outermost of the trusted proxies, each of which says it anew or adds to what was said. */
function forwardedProto(req: IncomingMessage, trustedHops: number): string {
  const [said] = trusted(req.headers['x-forwarded-proto'], trustedHops)
  if (said === 'https' || said === 'http') return said
  return 'encrypted' in req.socket ? 'https' : 'http'
}

/** What the trusted proxies have added to a list, the outermost first. */
function trusted(said: string | string[] | undefined, trustedHops: number): string[] {
  if (trustedHops === 0 || said === undefined) return []
  return String(said)
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .slice(-trustedHops)
}
