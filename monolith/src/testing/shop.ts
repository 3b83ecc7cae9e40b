import { createInternalSigner, databaseSettings, readConfig } from '@banyan/kit/service'
import knex, { type Knex } from 'knex'
import { newKey } from '../../../tests/support/keys.ts'
import { createMigratedDatabase } from '../../../tests/support/migrated-database.ts'
import { type Config, configSchema } from '../config.ts'
import { startMonolith } from '../monolith.ts'
import { orderBody } from './order.ts'

const ADMIN = { email: 'admin@shop.test', password: 'an administrator' }

/** An answer as a test looks at it; the body is whatever the route's contract says. */
// biome-ignore lint/suspicious/noExplicitAny: the tests state what they expect of the body
export type Answer = { status: number; headers: Headers; body: any }

type CallOptions = { token?: string | undefined; body?: unknown; headers?: Record<string, string> }

export type TestShop = {
  url: string
  db: Knex
  config: Config
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
  /** Calls an internal route as the service of that name. */
  internal(method: string, path: string, body?: unknown): Promise<Answer>
  adminToken(): Promise<string>
  /** Orders under an idempotency key, what `orderBody` says unless changed. */
  order(token: string, key: string, change?: object): Promise<Answer>
  /** Registers a new customer. */
  customer(): Promise<{ id: number; email: string; password: string; token: string; refreshToken: string }>
  close(): Promise<void>
}

/**
 * Starts the monolith in this process on a database of its own; argon2 is set as cheap as it goes.
 * @param env variables that differ from the test's own
 */
export async function startTestShop(env: Record<string, string> = {}): Promise<TestShop> {
  const database = await createMigratedDatabase('shop')
  const [jwt, caller] = [newKey('test-key'), newKey('inventory-service')]
  const config = readConfig(configSchema, {
    PORT: '0',
    LOG_LEVEL: 'silent',
    DATABASE_URL: database.url,
    JWT_KEYS: JSON.stringify({ keys: [jwt] }),
    INTERNAL_JWKS: JSON.stringify({ keys: [{ ...caller, d: undefined }] }),
    ARGON2_MEMORY_KIB: '8',
    ARGON2_PASSES: '1',
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
    ...env,
  })
  const served = await startMonolith(config, { ownProcess: false })
  const db = knex(databaseSettings(database.url, { name: 'test', max: 5 }))
  const signer = createInternalSigner({ privateJwk: caller, name: 'inventory-service' })

  async function call(method: string, path: string, { token, body, headers }: CallOptions = {}): Promise<Answer> {
    const response = await fetch(served.url + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
  }

  let customers = 0
  return {
    url: served.url,
    db,
    config,
    call,
    internal: async (method, path, body) => call(method, path, { token: await signer.sign('monolith'), body }),
    order: (token, key, change) =>
      call('POST', '/api/orders', { token, headers: { 'idempotency-key': key }, body: orderBody(change) }),
    adminToken: async () => (await call('POST', '/api/sessions', { body: ADMIN })).body.accessToken,
    async customer() {
      const account = {
        email: `customer-${++customers}@shop.test`,
        password: 'correct horse',
        name: `Customer ${customers}`,
      }
      const { body: user } = await call('POST', '/api/users', { body: account })
      const { email, password } = account
      const { body: session } = await call('POST', '/api/sessions', { body: { email, password } })
      return { id: user.id, email, password, token: session.accessToken, refreshToken: session.refreshToken }
    },
    async close() {
      await served.close()
      await db.destroy()
      await database.drop()
    },
  }
}
