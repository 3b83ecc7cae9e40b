/** A TCP relay between one process and a server: it can be cut, as a network is, or answer in the server's place. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type Relay = {
  readonly port: number
  /** The same URL with this relay as its host. */
  through(url: string): string
  /** Ends all connections and refuses new ones. */
  cut(): void
  /** Lets no byte through, while connections stay open: what a firewall does. */
  freeze(): void
  /** Answers every HTTP request itself. */
  answer(status: number): void
  heal(): void
  close(): Promise<void>
}

type Mode = { kind: 'pass' | 'cut' | 'freeze' } | { kind: 'answer'; status: number }

/** @param target where to: a URL with host and port */
export async function startRelay(target: string): Promise<Relay> {
  const { hostname, port } = new URL(target)
  let mode: Mode = { kind: 'pass' }
  const pairs = new Set<readonly [Socket, Socket | undefined]>()
  const server = createServer((from) => {
    from.on('error', () => from.destroy())
    if (mode.kind === 'cut') return void from.destroy()
    if (mode.kind === 'answer') return reply(from, mode.status)
    const to = connect(Number(port), hostname)
    const pair = [from, to] as const
    pairs.add(pair)
    to.on('error', () => from.destroy())
    from.on('close', () => {
      pairs.delete(pair)
      to.destroy()
    })
    to.on('close', () => from.destroy())
    from.pipe(to).pipe(from)
    if (mode.kind === 'freeze') hush(pair)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const own = (server.address() as AddressInfo).port
  const drop = () => {
    for (const [from] of pairs) from.destroy()
  }
  return {
    port: own,
    through(url) {
      const changed = new URL(url)
      changed.hostname = '127.0.0.1'
      changed.port = String(own)
      return changed.href
    },
    cut() {
      mode = { kind: 'cut' }
      drop()
    },
    freeze() {
      mode = { kind: 'freeze' }
      for (const pair of pairs) hush(pair)
    },
    answer(status) {
      mode = { kind: 'answer', status }
      drop()
    },
    heal() {
      if (mode.kind === 'freeze') drop()
      mode = { kind: 'pass' }
    },
    async close() {
      drop()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function hush([from, to]: readonly [Socket, Socket | undefined]): void {
  if (!to) return
  from.unpipe(to).pause()
  to.unpipe(from).pause()
}

function reply(from: Socket, status: number): void {
  from.once('data', () => from.end(`HTTP/1.1 ${status} Refused\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`))
}
