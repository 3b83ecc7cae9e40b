/** A database server that takes connections and says nothing: one behind a line that was cut or has frozen. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

export type SilentServer = {
  url: string
  /** The next connection that is made. It is for the caller to end. */
  connected(): Promise<Socket>
  close(): void
}

export async function startSilentServer(): Promise<SilentServer> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `postgres://mover@127.0.0.1:${(server.address() as AddressInfo).port}/control`,
    async connected() {
      const [socket] = (await once(server, 'connection')) as [Socket]
      // Who gives up on it resets it.
      return socket.on('error', () => undefined)
    },
    close: () => void server.close(),
  }
}
