/** A project of the Compose stages that a test has to itself: own volumes, own ports. */
import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export type Shop = {
  url: string
  /** The operators' listener, from stage 1 on. */
  ops: string
  /** `docker compose` with a stage's file. @returns what it printed @throws with what it said */
  compose(stage: string, ...args: string[]): Promise<string>
  /** A command as the documentation has it, for this project. @returns what it printed @throws with what it said */
  shell(command: string): Promise<string>
  /**
   * Prints it as well.
   * @param more options of `docker compose up`
   * @returns seconds until everything was healthy
   */
  up(stage: string, ...more: string[]): Promise<number>
  /** @returns the smoke test's own result */
  smoke(stage: string, orders: number): Promise<{ confirmed: number; left: number; failed: number }>
  /** @returns how many rows a table of a database has */
  count(stage: string, database: string, table: string): Promise<number>
  /** The containers of a service, one a line. */
  container(stage: string, service: string): Promise<string>
  drop(): Promise<void>
}

export async function openShop(): Promise<Shop> {
  const project = `banyan-test-${process.pid}`
  const [shopPort, opsPort] = [await freePort(), await freePort()]
  const { PATH = '', HOME = '/' } = process.env
  const env = { PATH, HOME, SHOP_PORT: String(shopPort), OPS_PORT: String(opsPort), BANYAN_TAG: tag() }
  let last = '0-monolith'
  const compose = async (stage: string, ...args: string[]) => {
    const files = ['compose', '-p', project, '-f', `compose/${stage}.yaml`]
    const { stdout } = await run('docker', [...files, ...args], { cwd: ROOT, env, maxBuffer: 2 ** 26 })
    return stdout.trim()
  }
  return {
    url: `http://127.0.0.1:${shopPort}`,
    ops: `http://127.0.0.1:${opsPort}`,
    compose,
    async shell(command) {
      const mine = { ...env, COMPOSE_PROJECT_NAME: project }
      return (await run('sh', ['-c', command], { cwd: ROOT, env: mine, maxBuffer: 2 ** 26 })).stdout.trim()
    },
    async up(stage, ...more) {
      last = stage
      const started = performance.now()
      await compose(stage, 'up', '--wait', '--wait-timeout', '180', '--remove-orphans', ...more)
      const seconds = (performance.now() - started) / 1000
      console.log(`${[stage, ...more].join(' ')}: healthy after ${seconds.toFixed(1)} s`)
      return seconds
    },
    smoke: async (stage, orders) => JSON.parse(await compose(stage, 'run', '--rm', '-e', `ORDERS=${orders}`, 'smoke')),
    async count(stage, database, table) {
      const query = ['psql', '-U', 'postgres', '-d', database, '-Atc', `select count(*) from ${table}`]
      return Number(await compose(stage, 'exec', '-T', 'postgres', ...query))
    },
    container: (stage, service) => compose(stage, 'ps', '--quiet', service),
    async drop() {
      await compose(last, '--profile', '*', 'down', '--volumes', '--remove-orphans')
    },
  }
}

/** @returns what the engine prints */
export async function docker(...args: string[]): Promise<string> {
  return (await run('docker', args, { maxBuffer: 2 ** 26 })).stdout.trim()
}

/** The tag of the images that were built for this run. */
export const tag = (): string => process.env.TEST_IMAGE_TAG ?? ''

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  await new Promise((done) => server.close(done))
  return port
}
