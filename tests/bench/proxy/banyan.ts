import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromPg, installControl } from '@banyan/kit/ownership'
import pg from 'pg'
import { freePorts } from '../../../compose/embedded/ports.ts'
import { createTestDatabase, testUnleash } from '../../support/infra.ts'
import { type PrivateKey, publicKey } from '../../support/keys.ts'
import { type Part, startPart } from './processes.ts'
import { HOST, ORIGIN } from './requests.ts'

const OPS_TOKEN = 'a token of the benchmark'
const HEARTBEAT_MS = 250
const RATES = 'address: 1000000/1s, account: 1000000/1s'

export interface BenchProxy extends Pick<Part, 'pid' | 'cpuMs' | 'end'> {
  readonly port: number
  /** Asks the operators' listener. @throws when it refuses */
  ops(path: string, order?: object): Promise<unknown>
  setReads(to: 'owner' | 'flag'): Promise<void>
  setFlag(to: 'on' | 'off'): Promise<void>
}

/**
 * The proxy with all it does for a context on the move: both sides answer reads, by a flag.
 * @param options.service who answers for the service; the same upstream unless told
 * @param options.share how many clients in a hundred the flag sends there; 50 unless told
 * @param options.shadow of how many in a hundred the reads are mirrored; nobody's unless told
 */
export async function startBanyan(
  upstream: string,
  key: PrivateKey,
  { service = upstream, share = 50, shadow = 0 }: { service?: string; share?: number; shadow?: number } = {},
): Promise<BenchProxy> {
  const context = `bench${randomBytes(4).toString('hex')}`
  const database = await createTestDatabase()
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await installControl(fromPg(client))
  await client.query(
    `insert into banyan.contexts (context, phase, heartbeat_applied) values ($1, 'ready', clock_timestamp())`,
    [context],
  )
  // What does not follow is not compared.
  const beat = setInterval(() => {
    client.query('update banyan.contexts set heartbeat_applied = clock_timestamp()').catch(() => undefined)
  }, HEARTBEAT_MS)
  const flag = await createFlag(`${context}-reads`, share)
  const mirrored = await createFlag(`${context}-shadow`, shadow)
  const folder = mkdtempSync(join(tmpdir(), 'banyan-bench-'))
  const routes = join(folder, 'routes.yaml')
  writeFileSync(routes, routesOf(context))
  const [port, opsPort] = (await freePorts(2)) as [number, number]
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
    SERVICE_URLS: JSON.stringify({ [context]: service }),
    COOKIE_KEY: 'a key of the benchmark',
    OVERRIDE_KEY: 'another key of the benchmark',
    OPS_TOKEN,
    RECORD_FOLDER: folder,
    JWT_JWKS: JSON.stringify({ keys: [publicKey(key)] }),
    JWT_ISSUER: 'banyan-shop',
  })
  await part.line()
  await part.line()
  const ops = async (path: string, order?: object): Promise<unknown> => {
    const answer = await fetch(`http://127.0.0.1:${opsPort}${path}`, {
      method: order === undefined ? 'GET' : 'POST',
      // A kept connection may close at the other end just as it is used again.
      headers: { authorization: `Bearer ${OPS_TOKEN}`, 'content-type': 'application/json', connection: 'close' },
      ...(order === undefined ? {} : { body: JSON.stringify(order) }),
    })
    if (!answer.ok) throw new Error(`${path} of the operators' listener: ${answer.status} ${await answer.text()}`)
    return await answer.json()
  }
  return {
    port,
    ops,
    pid: part.pid,
    cpuMs: () => part.cpuMs(),
    setFlag: flag.set,
    async setReads(to) {
      await ops(`/contexts/${context}/reads`, { reads: to, why: 'a benchmark' })
    },
    async end() {
      await part.end()
      clearInterval(beat)
      await client.end()
      rmSync(folder, { recursive: true })
      for (const { drop } of [flag, mirrored]) await drop()
      await database.drop()
    },
  }
}

/** Whatever a table can ask of a request, and such as none of the benchmark's fails. */
const routesOf = (context: string) => `
contexts: { ${context}: ${context} }
identity: { strip: [x-tenant-*] }
hosts: [${HOST}, 127.0.0.1]
limits: { address: 1000000/1s, body: 2048mb }
cors: { origins: [${ORIGIN}], credentials: true, headers: [authorization, content-type], expose: [etag] }
upstreams: { health: { monolith: /health/ready, services: /health/ready } }
routes:
  - { method: GET, path: /api/products, context: ${context}, access: read }
  - { method: GET, path: "/api/products/:id", context: ${context}, access: read, auth: required, limits: { ${RATES} } }
  - { method: POST, path: "/api/products/:id/stock-adjustments", context: ${context}, access: write, auth: required, limits: { body: 100kb, ${RATES} } }
`

async function createFlag(
  name: string,
  share: number,
): Promise<{ set(to: 'on' | 'off'): Promise<void>; drop(): Promise<void> }> {
  const { url, adminToken } = testUnleash()
  const admin = async (method: string, path: string, body?: object) => {
    const answer = await fetch(`${url}/admin/${path}`, {
      method,
      headers: { authorization: adminToken, 'content-type': 'application/json', connection: 'close' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    if (!answer.ok) throw new Error(`Unleash: ${method} ${path}: ${answer.status} ${await answer.text()}`)
  }
  const features = 'projects/default/features'
  const environment = `${features}/${name}/environments/development`
  await admin('POST', features, { name, type: 'release' })
  await admin('POST', `${environment}/strategies`, {
    name: 'flexibleRollout',
    parameters: { rollout: String(share), stickiness: 'default', groupId: name },
  })
  await admin('POST', `${environment}/on`)
  return {
    set: (to) => admin('POST', `${environment}/${to}`),
    async drop() {
      await admin('DELETE', `${features}/${name}`)
      await admin('DELETE', `archive/${name}`)
    },
  }
}
