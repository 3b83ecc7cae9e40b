import type { IncomingMessage, ServerResponse } from 'node:http'
import { ONE_WRITE_BYTES } from './body.ts'
import type { Cors } from './gateway/cors.ts'

/** Headers of one hop, our own promises to each other, and what tells a client who answered: no client sees them. */
const STRIPPED = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'proxy-authenticate',
  'trailer',
  'upgrade',
  'transfer-encoding',
  'banyan-refused',
  'x-powered-by',
])

/** Names and values of headers. */
export type SafeHeaders = readonly (readonly [string, string])[]

/** Keep browsers safe: said by this proxy where an upstream says nothing of its own. */
const SAFE: SafeHeaders = [
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'SAMEORIGIN'],
  ['Referrer-Policy', 'no-referrer'],
]
const TLS_ONLY = ['Strict-Transport-Security', 'max-age=31536000; includeSubDomains'] as const

/** @param options.secure browsers reach the proxy by TLS alone, and are told to keep to it */
export function safeHeaders({ secure }: { readonly secure: boolean }): SafeHeaders {
  return secure ? [...SAFE, TLS_ONLY] : SAFE
}

/** Passes an upstream's answer on as it arrives, without the headers of its hop, with these cookies added. */
export type PassOn = (from: IncomingMessage, to: ServerResponse, setCookies: readonly string[]) => void

/**
 * @param options.added to what an upstream says, where it says nothing of its own
 * @param options.cors says who may read answers, and what upstreams say of it is dropped; null: they see to it
 * @param options.untakenMs how long a client may take nothing of an answer that waits for it
 */
export function createPassOn(options: {
  readonly added: SafeHeaders
  readonly cors: Cors | null
  readonly untakenMs?: number | undefined
}): PassOn {
  const { added, cors, untakenMs = UNTAKEN_MS } = options
  /** By what is there of them, a bit for each: what is missing. */
  const missing = Array.from({ length: 2 ** added.length }, (_, there) =>
    added.filter((_one, at) => (there & (2 ** at)) === 0).flat(),
  )
  const remembered = new Map<string, number>()
  const judge = (name: string) => {
    const lower = name.toLowerCase()
    if (STRIPPED.has(lower) || (cors !== null && lower.startsWith('access-control-'))) return DROPPED
    if (lower === 'x-request-id') return NAMED
    const at = added.findIndex(([own]) => own.toLowerCase() === lower)
    return at === -1 ? 0 : 2 ** at
  }
  const kindOf = (name: string) => {
    const known = remembered.get(name)
    if (known !== undefined) return known
    const kind = judge(name)
    if (remembered.size < 1_000) remembered.set(name, kind)
    return kind
  }
  return (from, to, setCookies) => {
    const raw = from.rawHeaders
    const named = namedByConnection(from.headers.connection)
    const head: string[] = []
    let there = 0
    let hasId = false
    for (let at = 0; at < raw.length; at += 2) {
      const name = raw[at]!
      const kind = kindOf(name)
      if (kind === DROPPED || named?.includes(name.toLowerCase())) continue
      if (kind === NAMED) hasId = true
      else there |= kind
      head.push(name, raw[at + 1]!)
    }
    head.push(...missing[there]!)
    const { 'x-request-id': id, origin } = to.req.headers
    if (!hasId && typeof id === 'string') head.push('X-Request-Id', id)
    for (const cookie of setCookies) head.push('Set-Cookie', cookie)
    if (cors !== null) head.push(...cors.said(origin))
    to.writeHead(from.statusCode ?? 502, reasonOf(from), head)
    pour(from, to, untakenMs)
  }
}

/** Whoever takes nothing for so long would keep an upstream's connection, and what it has for them, for ever. */
const UNTAKEN_MS = 120_000
const DROPPED = -1
const NAMED = -2
const REASON = /^[\t\x20-\x7e\x80-\xff]*$/

/** Its text for the status, unless it has what no answer may have, and what Node would throw at. */
function reasonOf({ statusMessage }: IncomingMessage): string | undefined {
  return statusMessage !== undefined && REASON.test(statusMessage) ? statusMessage : undefined
}

/**
 * The body, chunk by chunk, at the pace of whoever takes it. What `pipe` adds to that is looked after already: each
 * side is destroyed with the other by the forwarder. A small body that came whole goes out in one write with its head.
 */
function pour(from: IncomingMessage, to: ServerResponse, untakenMs: number): void {
  const length = Number(from.headers['content-length'])
  from.on('data', (chunk: Buffer) => {
    if (chunk.length === length && length <= ONE_WRITE_BYTES) to.end(chunk.toString('latin1'), 'latin1')
    else if (!to.write(chunk)) {
      from.pause()
      // Node starts this time anew whenever a part of what waits is taken, and closes the connection when it is over. An
      // answer that waits for another on its connection has no socket yet.
      const { socket } = to.req
      socket.setTimeout(untakenMs)
      to.once('drain', () => {
        socket.setTimeout(0)
        from.resume()
      })
    }
  })
  from.on('end', () => to.end())
}

function namedByConnection(connection: string | undefined): string[] | null {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return null
  return connection.split(',').map((name) => name.trim().toLowerCase())
}
