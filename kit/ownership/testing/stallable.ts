/** A TCP proxy in front of a server that can stop passing bytes without closing: a cable pulled, a host frozen. */
import type { AddressInfo } from 'node:net'
import { createServer, connect as dial, type Socket } from 'node:net'

/**
 * @param target A URL of the server.
 * @returns The same URL through the proxy. `stall` swallows everything, on new connections too, until `resume`,
 *   which breaks what stood and lets new connections through; `freeze` stops only the connections
 *   that stand now.
 */
export async function stallable(
  target: string,
): Promise<{ url: string; stall(): void; freeze(): void; resume(): void; close(): Promise<void> }> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  const frozen = new WeakSet<Socket>()
  let stalled = false
  const passes = (socket: Socket) => !stalled && !frozen.has(socket)
  // Half open: a pulled cable does not answer the end of a connection either.
  const server = createServer({ allowHalfOpen: true }, (near) => {
    sockets.add(near)
    near.on('error', () => near.destroy()).on('close', () => sockets.delete(near))
    if (stalled) return
    const far = dial({ port: Number(port), host: hostname, allowHalfOpen: true })
    sockets.add(far)
    far.on('error', () => far.destroy()).on('close', () => sockets.delete(far))
    near.on('data', (bytes) => passes(near) && far.write(bytes))
    far.on('data', (bytes) => passes(far) && near.write(bytes))
    near.on('end', () => passes(near) && far.end())
    far.on('end', () => passes(far) && near.end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(target)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as AddressInfo).port)
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: url.href,
    stall() {
      stalled = true
    },
    freeze() {
      for (const socket of sockets) frozen.add(socket)
    },
    resume() {
      stalled = false
      cut()
    },
    async close() {
      cut()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
