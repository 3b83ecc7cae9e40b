import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request, type ServerResponse } from 'node:http'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { startRawUpstream } from './upstream.ts'

export const MIB = 1024 * 1024
const BLOCK = randomBytes(MIB)

export interface Passed {
  /** SHA-256 of what was sent, of what arrived at the upstream, and of what came down. */
  readonly sent: string
  readonly up: string
  readonly down: string
  /** Bytes by which the proxy's process grew at most, from its first answer on. */
  readonly grownBytes: number
}

/** Sends so many bytes up through a proxy in a process of its own, and then as many down. */
export async function passLargeBodies(routes: string, bytes: number): Promise<Passed> {
  const upstream = await startRawUpstream('upstream', (req, res) => {
    if (req.url === '/download') sendBlocks(res, bytes)
    else hashOf(req).then((hash) => res.end(hash))
  })
  const file = new URL('./proxy-process.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [file, routes, upstream.url], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const line = async () => String((await lines.next()).value)
  const highest = async () => {
    child.stdin!.write('rss\n')
    return Number(await line())
  }
  try {
    const port = Number(await line())
    await (await fetch(`http://127.0.0.1:${port}/small`)).text()
    const before = await highest()
    const up = await upload(port, bytes)
    const [answer] = (await once(request({ port, path: '/download' }).end(), 'response')) as [IncomingMessage]
    const down = await hashOf(answer)
    return { sent: hashOfBlocks(bytes), up, down, grownBytes: (await highest()) - before }
  } finally {
    child.stdin!.end()
    await once(child, 'exit')
    await upstream.close()
  }
}

/** @returns what the upstream says */
async function upload(port: number, bytes: number): Promise<string> {
  const up = request({ port, path: '/upload', method: 'POST', headers: { 'content-length': bytes } })
  const answered = once(up, 'response') as Promise<[IncomingMessage]>
  for (let sent = 0; sent < bytes; sent += MIB) if (!up.write(BLOCK)) await once(up, 'drain')
  up.end()
  return await text((await answered)[0])
}

function sendBlocks(res: ServerResponse, bytes: number): void {
  res.setHeader('content-length', bytes)
  let sent = 0
  const more = () => {
    while (sent < bytes) {
      sent += MIB
      if (!res.write(BLOCK)) return
    }
    res.end()
  }
  res.on('drain', more)
  more()
}

async function hashOf(from: IncomingMessage): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of from) hash.update(chunk)
  return hash.digest('hex')
}

function hashOfBlocks(bytes: number): string {
  const hash = createHash('sha256')
  for (let sent = 0; sent < bytes; sent += MIB) hash.update(BLOCK)
  return hash.digest('hex')
}
