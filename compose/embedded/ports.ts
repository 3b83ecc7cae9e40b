import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { sharedFolder } from './work-folder.ts'

// Below the range from which Linux and macOS take the source ports of outgoing connections: a port of that range may be
// gone by the time a slow server (RabbitMQ needs seconds) listens on it.
const LOWEST = 15_000
const HIGHEST = 32_000
const TRIES = 1_000
/** What this process took: given back when it ends. */
const taken = new Set<string>()
process.once('exit', () => {
  for (const file of taken) rmSync(file, { force: true })
})

/**
 * @param count how many
 * @returns Ports of 127.0.0.1 that were free a moment ago, and that no living process of this user was given:
 * a slow server may not listen yet on what it got, and two stacks that start at once would meet on one port.
 */
export async function freePorts(count: number): Promise<number[]> {
  const held: { port: number; server: Server }[] = []
  for (let tries = 0; held.length < count && tries < TRIES; tries += 1) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST))
    const server = createServer()
    if (!take(port)) continue
    if (!(await listens(server, port))) continue
    held.push({ port, server })
  }
  await Promise.all(held.map(({ server }) => new Promise((resolve) => server.close(resolve))))
  if (held.length < count) throw new Error(`no ${count} free ports between ${LOWEST} and ${HIGHEST}`)
  return held.map(({ port }) => port)
}

/** @returns whether the port is this call's now; a file says whose it is, and one whose process is gone counts for nothing */
function take(port: number): boolean {
  const folder = join(sharedFolder(), 'ports')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, String(port))
  try {
    if (!isAlive(Number(readFileSync(file, 'utf8')))) rmSync(file, { force: true })
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw error
  }
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' })
  } catch (error) {
    if ((error as { code?: string }).code === 'EEXIST') return false
    throw error
  }
  taken.add(file)
  return true
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
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
