import { connect, createServer, type Server, type Socket } from 'node:net'

export interface TcpProxy {
  /** The target's URL with the proxy's address. */
  url: string
  /** Cuts all connections that stand. */
  cut(): void
  /** Passes nothing on, either way, until released; connections stay open. */
  stall(): void
  release(): void
  close(): Promise<void>
}

/** A wire that can be cut, or held, between a client and a server. */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const to = new URL(target)
  const pairs = new Set<[Socket, Socket]>()
  let stalled = false
  const server: Server = createServer((client) => {
    const upstream = connect(Number(to.port), to.hostname)
    const pair: [Socket, Socket] = [client, upstream]
    pairs.add(pair)
    for (const [from, into] of [pair, [upstream, client] as const]) {
      from.on('data', (chunk) => {
        if (!into.write(chunk)) from.pause()
      })
      into.on('drain', () => {
        if (!stalled) from.resume()
      })
      from.on('error', () => into.destroy())
      from.on('close', () => {
        into.destroy()
        pairs.delete(pair)
      })
    }
    if (stalled) for (const socket of pair) socket.pause()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const url = new URL(target)
  url.hostname = '127.0.0.1'
  url.port = String(typeof address === 'object' ? address?.port : '')
  const each = (act: (socket: Socket) => unknown) => {
    for (const pair of pairs) for (const socket of pair) act(socket)
  }
  return {
    url: url.href,
    cut: () => each((socket) => socket.destroy()),
    stall() {
      stalled = true
      each((socket) => socket.pause())
    },
    release() {
      stalled = false
      each((socket) => socket.resume())
    },
    async close() {
      each((socket) => socket.destroy())
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
