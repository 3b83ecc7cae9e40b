/** The sockets of an HTTP server, so that it can be emptied: politely first, then for good. */
import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export type Connections = {
  /** From now on answers tell their clients to close the connection, so that few are left to be closed. */
  sayGoodbye(): void
  /**
   * Refuses new connections, tells clients to close theirs with the answer in hand, closes idle ones.
   * @param graceMs After this many milliseconds what is still open is destroyed.
   * @returns Whether everything ended by itself.
   */
  drain(graceMs: number): Promise<boolean>
}

/** Must be called before the server listens. Upgraded sockets are counted too; `server.close` forgets those. */
export function trackConnections(server: Server): Connections {
  // Each connection with the answer under way on it; of pipelined ones the last, after which it may be closed. A set of
  // the answers themselves would change its table every few requests. A table that was left behind still names what was
  // in it and the table after it, so that once one is old, the collector copies a good part of all later requests: pauses
  // of tens of milliseconds.
  const sockets = new Map<Socket, ServerResponse | null>()
  let leaving = false

  server.on('connection', (socket) => {
    sockets.set(socket, null)
    socket.once('close', () => sockets.delete(socket))
  })
  // Before the app: the header must be set while it still can be.
  server.prependListener('request', ({ socket }, res) => {
    if (sockets.has(socket)) sockets.set(socket, res)
    res.once('close', () => {
      if (sockets.get(socket) === res) sockets.set(socket, null)
    })
    if (leaving) res.setHeader('Connection', 'close')
  })

  function sayGoodbye(): void {
    leaving = true
    for (const res of sockets.values()) if (res?.headersSent === false) res.setHeader('Connection', 'close')
  }

  async function drain(graceMs: number): Promise<boolean> {
    sayGoodbye()
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    // An answer whose headers were out already leaves its connection idle later on.
    const sweep = setInterval(() => server.closeIdleConnections(), 50)
    let clean = true
    const bound = setTimeout(() => {
      clean = sockets.size === 0
      for (const socket of sockets.keys()) socket.destroy()
    }, graceMs)
    await closed
    while (sockets.size > 0) await new Promise((resolve) => [...sockets.keys()][0]?.once('close', resolve))
    clearInterval(sweep)
    clearTimeout(bound)
    return clean
  }
  return { sayGoodbye, drain }
}
