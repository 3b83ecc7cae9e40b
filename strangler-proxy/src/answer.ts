import type { IncomingMessage, ServerResponse } from 'node:http'

/** Headers of one hop, and our own promises to each other, that a client never sees. */
const STRIPPED = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'proxy-authenticate',
  'trailer',
  'upgrade',
  'transfer-encoding',
  'banyan-refused',
])
const remembered = new Map<string, boolean>()

/** Passes an upstream's answer on as it arrives, without the headers of its hop, with these cookies added. */
export function passOn(from: IncomingMessage, to: ServerResponse, setCookies: readonly string[]): void {
  const raw = from.rawHeaders
  const named = namedByConnection(from.headers.connection)
  const head: string[] = []
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!
    if (isStripped(name) || named?.includes(name.toLowerCase())) continue
    head.push(name, raw[at + 1]!)
  }
  for (const cookie of setCookies) head.push('Set-Cookie', cookie)
  to.writeHead(from.statusCode ?? 502, from.statusMessage, head)
  pour(from, to)
}

/**
 * The body, chunk by chunk, at the pace of whoever takes it. What `pipe` adds to that is looked after already: each
 * side is destroyed with the other by the forwarder.
 */
function pour(from: IncomingMessage, to: ServerResponse): void {
  from.on('data', (chunk: Buffer) => {
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
}

function isStripped(name: string): boolean {
  const known = remembered.get(name)
  if (known !== undefined) return known
  const verdict = STRIPPED.has(name.toLowerCase())
  if (remembered.size < 1_000) remembered.set(name, verdict)
  return verdict
}

function namedByConnection(connection: string | undefined): string[] | null {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return null
  return connection.split(',').map((name) => name.trim().toLowerCase())
}
