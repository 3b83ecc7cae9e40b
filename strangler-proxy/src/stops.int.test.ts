import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { freePorts } from '../../compose/embedded/ports.ts'
import { createTestDatabase, testUnleash } from '../../tests/support/infra.ts'
import { installContexts } from '../test-support/install-contexts.ts'
import { until } from '../test-support/raw.ts'
import { type LoadRequest, startLoad } from '../test-support/steady-load.ts'

const ROUTES = `
contexts: { goods: goods-service }
upstreams: { health: { monolith: /health/ready, interval: 100ms, failures: 1, passes: 1 } }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: POST, path: /api/goods, context: goods, access: write, resend: idempotency-key }
`
const PER_SECOND = 500

let folder: string
let database: Awaited<ReturnType<typeof createTestDatabase>>
const children: ChildProcess[] = []
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'banyan-stops-'))
  writeFileSync(join(folder, 'routes.yaml'), ROUTES)
  database = await createTestDatabase()
  await (await installContexts(database.url, ['goods'])).end()
})
afterAll(async () => {
  await database.drop()
  rmSync(folder, { recursive: true })
})
afterEach(async () => {
  const all = children.splice(0)
  const ended = all.map((child) => gone(child) || once(child, 'exit'))
  for (const child of all) child.stdin!.end()
  await Promise.all(ended)
})

function startProcess(file: URL, env: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, [file.pathname], { env, stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  return child
}

async function startInstance() {
  const child = startProcess(new URL('../test-support/instance-process.ts', import.meta.url), {})
  const [port] = await once(createInterface({ input: child.stdout! }), 'line')
  return { child, url: `http://127.0.0.1:${port}` }
}

async function startProxyProcess(instances: readonly { url: string }[], more: Record<string, string> = {}) {
  const [port, opsPort] = (await freePorts(2)) as [number, number]
  const unleash = testUnleash()
  const child = startProcess(new URL('main.ts', import.meta.url), {
    PORT: String(port),
    OPS_PORT: String(opsPort),
    LOG_LEVEL: 'silent',
    BANYAN_LIFELINE: 'stdin',
    CONTROL_DATABASE_URL: database.url,
    UNLEASH_URL: unleash.url,
    UNLEASH_TOKEN: unleash.clientToken,
    ROUTES: join(folder, 'routes.yaml'),
    MONOLITH_URL: instances.map(({ url }) => url).join(','),
    COOKIE_KEY: 'a cookie key for tests',
    OVERRIDE_KEY: 'an override key for tests',
    OPS_TOKEN: 'a token of the operators',
    ...more,
  })
  const isReady = () =>
    fetch(`http://127.0.0.1:${opsPort}/health/ready`).then(
      (answer) => answer.status === 200,
      () => false,
    )
  await until('the proxy is ready', isReady, 60_000)
  const ejections = async () =>
    (await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text()).match(/^proxy_ejections_total.*/gm) ?? []
  return { child, port, isReady, ejections }
}

const gone = (child: ChildProcess) => (child.exitCode ?? child.signalCode) !== null
/** Reads and writes in turn; a write that may not be sent twice, unless it has a key. */
const mixed =
  (keyed: boolean) =>
  (index: number): LoadRequest =>
    index % 2
      ? { method: 'GET' }
      : { method: 'POST', headers: keyed ? { 'idempotency-key': String(index) } : {}, body: '{"quantity":1}' }

const bounds = { timeout: 300_000 }

it(
  'an instance that ends on SIGTERM takes no request with it, at up to 500 a second, not even a write without a key',
  bounds,
  async () => {
    const [staying, leaving] = [await startInstance(), await startInstance()]
    const proxy = await startProxyProcess([staying, leaving])
    const load = startLoad({ perSecond: PER_SECOND, port: () => proxy.port, next: mixed(false) })
    await load.answered(2 * PER_SECOND)
    leaving.child.kill('SIGTERM')
    await until('it is gone', () => gone(leaving.child), 60_000)
    await load.answered(2 * PER_SECOND)
    const { answered, failed } = await load.stop()
    expect(failed).toEqual([])
    expect(answered).toBeGreaterThanOrEqual(4 * PER_SECOND)
    expect(leaving.child.exitCode).toBe(0)
    expect((await proxy.ejections()).join()).toContain('why="health"')
  },
)

it(
  'an instance that is killed takes no read and no write with a key with it, at up to 500 a second',
  bounds,
  async () => {
    const [staying, dying] = [await startInstance(), await startInstance()]
    const proxy = await startProxyProcess([staying, dying])
    const load = startLoad({ perSecond: PER_SECOND, port: () => proxy.port, next: mixed(true) })
    await load.answered(2 * PER_SECOND)
    dying.child.kill('SIGKILL')
    await until('it is gone', () => gone(dying.child), 60_000)
    await load.answered(2 * PER_SECOND)
    const { failed } = await load.stop()
    expect(failed).toEqual([])
    expect(await proxy.ejections()).not.toEqual([])
  },
)

it(
  'a proxy that gives way to one with another route table answers all it was sent, while those who ask turn to the next',
  bounds,
  async () => {
    const instances = [await startInstance()]
    const leaving = await startProxyProcess(instances, { SHUTDOWN_UNREADY_MS: '3000' })
    writeFileSync(
      join(folder, 'next.yaml'),
      `${ROUTES}  - { method: GET, path: /api/more, context: goods, access: read }\n`,
    )
    const next = await startProxyProcess(instances, { ROUTES: join(folder, 'next.yaml') })
    let front = leaving
    const load = startLoad({ perSecond: PER_SECOND, port: () => front.port, next: mixed(false) })
    await load.answered(2 * PER_SECOND)
    leaving.child.kill('SIGTERM')
    await until('it says so', async () => !(await leaving.isReady()), 60_000)
    front = next
    await until('it is gone', () => gone(leaving.child), 60_000)
    await load.answered(2 * PER_SECOND)
    const { failed } = await load.stop()
    expect(failed).toEqual([])
    expect(leaving.child.exitCode).toBe(0)
  },
)
