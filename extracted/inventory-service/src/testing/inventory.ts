import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createInternalSigner, createTokenSigner, publicJwks, readConfig } from '@banyan/kit/service'
import type { Knex } from 'knex'
import { createTestDatabase } from '../../../../tests/support/infra.ts'
import { newKey } from '../../../../tests/support/keys.ts'
import { configSchema } from '../config.ts'
import { connectDatabase } from '../database.ts'
import { startInventoryService } from '../service.ts'

const ROOT = join(import.meta.dirname, '../../../..')

// biome-ignore lint/suspicious/noExplicitAny: the tests state what they expect of the body
export type Answer = { status: number; headers: Headers; body: any }

export type TestInventory = {
  url: string
  db: Knex
  call(method: string, path: string, options?: { token?: string | undefined; body?: unknown }): Promise<Answer>
  /** Calls an internal route as the monolith. */
  internal(method: string, path: string, body?: unknown): Promise<Answer>
  token(role: 'admin' | 'customer'): Promise<string>
  /** Says in banyan.owner whose inventory is. */
  setOwner(owner: 'monolith' | 'service' | 'moving'): Promise<void>
  addProduct(sku: string, available: number): Promise<number>
  close(): Promise<void>
}

/**
 * Starts the service in this process on a database of its own, with the schema and a category `kitchen`.
 * @param options.callerKey the key the monolith signs with; a new one unless given
 * @param options.env variables that differ
 */
export async function startTestInventory(
  options: { callerKey?: Awaited<ReturnType<typeof newKey>>; env?: Record<string, string> } = {},
): Promise<TestInventory> {
  const database = await createTestDatabase()
  await promisify(execFile)(process.execPath, [join(ROOT, 'migrations/src/migrate.ts'), 'inventory'], {
    env: { DATABASE_URL: database.url, SCHEMA_DIR: join(ROOT, 'migrations/shop/schema') },
  })
  const users = newKey('users')
  const caller = options.callerKey ?? newKey('monolith')
  const config = readConfig(configSchema, {
    PORT: '0',
    LOG_LEVEL: 'silent',
    DATABASE_URL: database.url,
    JWT_JWKS: JSON.stringify(publicJwks({ keys: [users] })),
    INTERNAL_JWKS: JSON.stringify(publicJwks({ keys: [caller] })),
    ...options.env,
  })
  const served = await startInventoryService(config, { ownProcess: false })
  const db = connectDatabase(database.url, { name: 'test', max: 5 })
  await db('categories').insert({ slug: 'kitchen', name: 'Kitchen', position: 1 })

  const signer = createInternalSigner({ privateJwk: caller, name: 'monolith' })
  const identity = { issuer: config.JWT_ISSUER, audience: 'banyan-shop', typ: 'at+jwt', ttlSeconds: 900 }
  const userSigner = createTokenSigner({ ...identity, privateJwk: users })
  const call: TestInventory['call'] = async (method, path, { token, body } = {}) => {
    const response = await fetch(served.url + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
  }

  return {
    url: served.url,
    db,
    call,
    internal: async (method, path, body) => call(method, path, { token: await signer.sign('inventory-service'), body }),
    token: (role) => userSigner.sign({ sub: '1', role }),
    setOwner: async (owner) => {
      await db.raw("update banyan.owner set owner = ?, term = term + 1 where context = 'inventory'", [owner])
    },
    async addProduct(sku, available) {
      const [row] = await db('products')
        .insert({ sku, name: `Kettle ${sku}`, category_id: db('categories').select('id').first(), price_cents: 1_999 })
        .returning('id')
      await db('stock').insert({ product_id: row.id, available })
      return row.id
    },
    async close() {
      await served.close()
      await db.destroy()
      await database.drop()
    },
  }
}
