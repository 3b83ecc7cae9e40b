/** Real services for integration tests: a database, a virtual host or a flag server that a test has to itself. */
import { randomBytes } from 'node:crypto'
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
  return { url: url.href, drop: () => admin(`drop database if exists ${name} with (force)`) }
}

/** @returns A new virtual host (its AMQP URL) and the function that deletes it with all that is in it. */
export async function createTestVhost(): Promise<Disposable> {
  const url = new URL(needed('TEST_AMQP_URL'))
  const name = `test-${randomBytes(6).toString('hex')}`
  await broker('PUT', `vhosts/${name}`)
  await broker('PUT', `permissions/${name}/${url.username}`, { configure: '.*', write: '.*', read: '.*' })
  url.pathname = `/${name}`
  return { url: url.href, drop: () => broker('DELETE', `vhosts/${name}`) }
}

/** @returns The flag server: its API's base URL (ends in `/api`), a client token and an admin token. */
export function testUnleash(): { url: string; clientToken: string; adminToken: string } {
  return {
    url: needed('TEST_UNLEASH_URL'),
    clientToken: needed('TEST_UNLEASH_CLIENT_TOKEN'),
    adminToken: needed('TEST_UNLEASH_ADMIN_TOKEN'),
  }
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

async function admin(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: postgresAdminUrl() })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

async function broker(method: string, path: string, body: object = {}): Promise<void> {
  const { href, authorization } = withoutCredentials(rabbitApi())
  const response = await fetch(`${href}/${path}`, {
    method,
    headers: { authorization, 'content-type': 'application/json' },
    ...(method === 'PUT' ? { body: JSON.stringify(body) } : {}),
  })
  if (!response.ok && !(method === 'DELETE' && response.status === 404))
    throw new Error(`${method} ${path}: RabbitMQ answered ${response.status} ${await response.text()}`)
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
