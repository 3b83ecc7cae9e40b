import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromPg, installControl } from '@banyan/kit/ownership'
import pg from 'pg'
import { createTestDatabase, testUnleash } from '../../support/infra.ts'
import { type PrivateKey, publicKey } from '../../support/keys.ts'
import { type Part, startPart } from './processes.ts'

const FLAG_CONTEXT = `bench${randomBytes(4).toString('hex')}`

/** The proxy with all it does for a context on the move: both sides answer reads, half of the clients by a flag each. */
export async function startBanyan(
  upstream: string,
  key: PrivateKey,
): Promise<Pick<Part, 'pid' | 'cpuMs' | 'end'> & { port: number }> {
  const database = await createTestDatabase()
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await installControl(fromPg(client))
  await client.query(
    `insert into banyan.contexts (context, phase, heartbeat_applied) values ($1, 'ready', clock_timestamp())`,
    [FLAG_CONTEXT],
  )
  await client.end()
  const flag = `${FLAG_CONTEXT}-reads`
  const dropFlag = await createFlag(flag)
  const folder = mkdtempSync(join(tmpdir(), 'banyan-bench-'))
  const routes = join(folder, 'routes.yaml')
  writeFileSync(routes, routesOf(FLAG_CONTEXT))
  const port = await freePort()
  const opsPort = await freePort()
  const unleash = testUnleash()
  const part: Part = startPart('../../../strangler-proxy/src/main.ts', [], {
    PORT: String(port),
    OPS_PORT: String(opsPort),
    BANYAN_LIFELINE: 'stdin',
    CONTROL_DATABASE_URL: database.url,
    UNLEASH_URL: unleash.url,
    UNLEASH_TOKEN: unleash.clientToken,
    ROUTES: routes,
    MONOLITH_URL: upstream,
    SERVICE_URLS: JSON.stringify({ [FLAG_CONTEXT]: upstream }),
    COOKIE_KEY: 'a key of the benchmark',
    OVERRIDE_KEY: 'another key of the benchmark',
    OPS_TOKEN: 'a token of the benchmark',
    JWT_JWKS: JSON.stringify({ keys: [publicKey(key)] }),
    JWT_ISSUER: 'banyan-shop',
  })
  await part.line()
  await part.line()
  return {
    port,
    pid: part.pid,
    cpuMs: () => part.cpuMs(),
    async end() {
      await part.end()
      rmSync(folder, { recursive: true })
      await dropFlag()
      await database.drop()
    },
  }
}

const routesOf = (context: string) => `
contexts: { ${context}: ${context} }
routes:
  - { method: GET, path: "/api/products/:id", context: ${context}, access: read }
  - { method: POST, path: "/api/products/:id/stock-adjustments", context: ${context}, access: write, auth: required, limits: { body: 100kb } }
`

async function createFlag(name: string): Promise<() => Promise<void>> {
  const { url, adminToken } = testUnleash()
  const admin = async (method: string, path: string, body?: object) => {
    const answer = await fetch(`${url}/admin/${path}`, {
      method,
      headers: { authorization: adminToken, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    if (!answer.ok) throw new Error(`Unleash: ${method} ${path}: ${answer.status} ${await answer.text()}`)
  }
  const features = 'projects/default/features'
  await admin('POST', features, { name, type: 'release' })
  await admin('POST', `${features}/${name}/environments/development/strategies`, {
    name: 'flexibleRollout',
    parameters: { rollout: '50', stickiness: 'default', groupId: name },
  })
  await admin('POST', `${features}/${name}/environments/development/on`)
  return async () => {
    await admin('DELETE', `${features}/${name}`)
    await admin('DELETE', `archive/${name}`)
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
