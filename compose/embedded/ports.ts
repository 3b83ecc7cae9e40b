import { createServer, type Server } from 'node:net'

// Below the range from which Linux and macOS take the source ports of outgoing connections: a port of that range may be
// gone by the time a slow server (RabbitMQ needs seconds) listens on it.
const LOWEST = 15_000
const HIGHEST = 32_000
const TRIES = 1_000
/** A slow server may not listen yet on what it was given. */
const given = new Set<number>()

/**
 * @param count how many
 * @returns Ports of 127.0.0.1 that were free a moment ago, and that nobody else in this process was given.
 */
export async function freePorts(count: number): Promise<number[]> {
  const held: { port: number; server: Server }[] = []
  for (let tries = 0; held.length < count && tries < TRIES; tries += 1) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST))
    if (given.has(port)) continue
    const server = createServer()
    if (!(await listens(server, port))) continue
    given.add(port)
    held.push({ port, server })
  }
  await Promise.all(held.map(({ server }) => new Promise((resolve) => server.close(resolve))))
  if (held.length < count) throw new Error(`no ${count} free ports between ${LOWEST} and ${HIGHEST}`)
  return held.map(({ port }) => port)
}

function listens(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => resolve(true))
  })
}

/** @returns The wished-for port if nothing listens on it, else any free one. */
export async function portOr(wished: number): Promise<number> {
  const server = createServer()
  if (!(await listens(server, wished))) return (await freePorts(1))[0]!
  await new Promise((resolve) => server.close(resolve))
  return wished
}
