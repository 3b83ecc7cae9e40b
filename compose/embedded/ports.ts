import { type AddressInfo, createServer } from 'node:net'

/**
 * @param count how many
 * @returns Ports of 127.0.0.1 that were free a moment ago, all different because all were held at once.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(0, '127.0.0.1', resolve)
      })
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** @returns The wished-for port if nothing listens on it, else any free one. */
export async function portOr(wished: number): Promise<number> {
  const server = createServer()
  const free = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(wished, '127.0.0.1', () => resolve(true))
  })
  if (!free) return (await freePorts(1))[0]!
  await new Promise((resolve) => server.close(resolve))
  return wished
}
