/** Sockets that can be destroyed: a connection that is ended politely waits for its peer, which may have gone silent. */
import { Socket } from 'node:net'

export type OwnSockets = {
  /** For the option `stream` of `pg`. */
  stream(): Socket
  /** Destroys those that are open, and from now on each that is asked for; whoever waits for one of them fails. */
  destroy(): void
  /** Resolves when all are closed. What is still open after `ms` is destroyed. */
  closed(ms: number): Promise<void>
}

export function ownSockets(): OwnSockets {
  const open = new Set<Socket>()
  let destroyed = false
  const destroy = () => {
    destroyed = true
    for (const socket of open) socket.destroy()
  }
  return {
    stream() {
      const socket = new Socket()
      open.add(socket)
      socket.once('close', () => open.delete(socket))
      // Not at once: who asks connects it first, and then hears of its end.
      if (destroyed) setImmediate(() => socket.destroy())
      return socket
    },
    destroy,
    async closed(ms) {
      const timer = setTimeout(destroy, ms)
      for (const socket of open) if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
      clearTimeout(timer)
    },
  }
}
