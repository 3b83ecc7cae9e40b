/** Real services for integration tests: a database, a virtual host or a flag server that a test has to itself. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

export type Disposable = { url: string; drop(): Promise<void> }

/**
 * @returns A new, empty database (superuser's URL) and the function that drops it, open connections included.
 * Roles live in the whole cluster: a test that creates some names them itself and drops them.
 * @param template a database to copy instead of an empty one
 */
export async function createTestDatabase(template?: string): Promise<Disposable> {
  const name = `test_${randomBytes(6).toString('hex')}`
  await admin(`create database ${name}${template ? ` template ${template}` : ''}`)
  const url = new URL(postgresAdminUrl())
  url.pathname = `/${name}`
  const drop = () => admin(`drop database if exists ${name} with (force)`)
  return { url: url.href, drop: () => drop().then(() => undefined) }
}

/**
 * SIGKILL of a process of the server, which takes the whole of it along: every session of every database ends, shared
 * memory is thrown away, and the server comes up anew from its log. Resolves when it answers again.
 */
export async function crashDatabaseServer(): Promise<void> {
  const before = await serverStart()
  // The shell's parent is the session's own process, wherever the server runs.
  await admin(`copy (select 1) to program 'kill -9 $PPID'`).catch(() => undefined)
  for (const deadline = Date.now() + 30_000; ; await sleep(50)) {
    const now = await serverStart().catch((error: Error) => error)
    if (typeof now === 'number' && now > before) return
    if (Date.now() > deadline) throw now instanceof Error ? now : new Error('the server has survived')
  }
}

/** Since when the server's own helpers run, in seconds: all of them begin anew after a crash. */
async function serverStart(): Promise<number> {
  const [row] = await admin(
    `select extract(epoch from backend_start)::float8 as at from pg_stat_activity where backend_type = 'checkpointer'`,
  )
  return row?.at as number
}

/** @returns A new virtual host (its AMQP URL) and the function that deletes it with all that is in it. */
export async function createTestVhost(): Promise<Disposable> {
  const url = new URL(needed('TEST_AMQP_URL'))
  const name = `test-${randomBytes(6).toString('hex')}`
  await broker('PUT', `vhosts/${name}`)
  await broker('PUT', `permissions/${name}/${url.username}`, { configure: '.*', write: '.*', read: '.*' })
  url.pathname = `/${name}`
  return { url: url.href, drop: async () => void (await broker('DELETE', `vhosts/${name}`)) }
}

/**
 * @param url a virtual host of `createTestVhost`
 * @returns the routing keys that a queue of it is bound by; rejects while there is no such queue
 */
export async function bindingsOf(url: string, queue: string): Promise<string[]> {
  const response = await broker('GET', `queues${new URL(url).pathname}/${queue}/bindings`)
  return ((await response.json()) as { routing_key: string }[]).map((binding) => binding.routing_key)
}

/** @returns The flag server: its API's base URL (ends in `/api`), a client token and an admin token. */
export function testUnleash(): { url: string; clientToken: string; adminToken: string } {
  return {
    url: needed('TEST_UNLEASH_URL'),
    clientToken: needed('TEST_UNLEASH_CLIENT_TOKEN'),
    adminToken: needed('TEST_UNLEASH_ADMIN_TOKEN'),
  }
}

/** Makes a flag that is on at a share of 0 %, anew where there is one of that name. @returns what takes it away */
export async function makeTestFlag(name: string): Promise<() => Promise<void>> {
  const { url, adminToken } = testUnleash()
  const call = async (method: string, path: string, body?: object, allowed: readonly number[] = []) => {
    const answer = await fetch(`${url}/admin${path}`, {
      method,
      headers: { authorization: adminToken, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    if (!answer.ok && !allowed.includes(answer.status))
      throw new Error(`${method} ${path}: Unleash answered ${answer.status} ${await answer.text()}`)
  }
  const features = '/projects/default/features'
  const drop = async () => {
    await call('DELETE', `${features}/${name}`, undefined, [404])
    await call('DELETE', `/archive/${name}`, undefined, [404])
  }
  await drop()
  await call('POST', features, { name, type: 'operational' })
  await call('POST', `${features}/${name}/environments/development/strategies`, {
    name: 'flexibleRollout',
    parameters: { rollout: '0', stickiness: 'default', groupId: name },
  })
  await call('POST', `${features}/${name}/environments/development/on`)
  return drop
}

/** @returns The superuser's URL of the database `postgres`. */
export function postgresAdminUrl(): string {
  return needed('TEST_POSTGRES_URL')
}

/**
 * @returns What a `create role` says so that the role can connect by the superuser's URL with its own name in it: a
 * role of a test has the superuser's password, where that one has any.
 */
export function loginClause(): string {
  const password = decodeURIComponent(new URL(postgresAdminUrl()).password)
  return password ? `login password ${pg.escapeLiteral(password)}` : 'login'
}

/** @returns The management API's base URL with its credentials, e.g. `http://guest:guest@127.0.0.1:15672/api`. */
export function rabbitApi(): string {
  return needed('TEST_RABBITMQ_API')
}

async function admin(statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: postgresAdminUrl() })
  // A server that dies under it has told by the query already.
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query(statement)).rows
  } finally {
    await client.end()
  }
}

async function broker(method: string, path: string, body: object = {}): Promise<Response> {
  const { href, authorization } = withoutCredentials(rabbitApi())
  const response = await fetch(`${href}/${path}`, {
    method,
    // It gives up idle connections by itself: none is used twice.
    headers: { authorization, 'content-type': 'application/json', connection: 'close' },
    ...(method === 'PUT' ? { body: JSON.stringify(body) } : {}),
  })
  if (!response.ok && !(method === 'DELETE' && response.status === 404))
    throw new Error(`${method} ${path}: RabbitMQ answered ${response.status} ${await response.text()}`)
  return response
}

/** `fetch` refuses a URL with credentials in it. */
function withoutCredentials(from: string): { href: string; authorization: string } {
  const url = new URL(from)
  const secret = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  url.username = url.password = ''
  return {
    href: url.href.replace(/\/$/, ''),
    authorization: `Basic ${Buffer.from(secret).toString('base64')}`,
  }
}

function needed(name: string): string {
  const value = process.env[name]
  if (!value)
    throw new Error(`${name} is not set; vitest's project "int" sets it through tests/support/global-setup.ts`)
  return value
}
