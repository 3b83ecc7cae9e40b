/** A service of the shop in this very process, on a database of its own, as its tests start it. */
import type { z } from 'zod'
import { newKey } from '../../../tests/support/keys.ts'
import { createMigratedDatabase } from '../../../tests/support/migrated-database.ts'
import { readConfig } from '../config.ts'
import { type DatabaseSettings, databaseSettings } from '../database.ts'
import { createInternalSigner } from '../internal-tokens.ts'
import type { Served } from '../serve.ts'
import { createTokenSigner, publicJwks } from '../tokens.ts'

const ISSUER = 'banyan-shop'

// biome-ignore lint/suspicious/noExplicitAny: the tests state what they expect of the body
export type Answer = { status: number; headers: Headers; body: any }

export type CallOptions = { token?: string | undefined; body?: unknown; headers?: Record<string, string> }

export type TestService<Db> = {
  url: string
  /** A pool of the test's own. */
  db: Db
  databaseUrl: string
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
  /** Calls an internal route as the caller whose key the service was given. */
  internal(method: string, path: string, body?: unknown): Promise<Answer>
  /** @param userId 1 unless told */
  token(role: 'admin' | 'customer', userId?: number): Promise<string>
  /** Says in banyan.owner whose the context is. */
  setOwner(owner: 'monolith' | 'service' | 'moving'): Promise<void>
  close(): Promise<void>
}

type Raw = { raw(sql: string, bindings: unknown[]): PromiseLike<unknown>; destroy(): Promise<unknown> }

/**
 * @param options.name the service's name, and its database's schema under `migrations/shop/schema`
 * @param options.context which its `setOwner` sets
 * @param options.callerKey the key that internal calls are signed with; a new one of the monolith's unless given
 * @param options.env variables that differ from, or come to, the service's base
 */
export async function startTestService<S extends z.ZodObject, Db extends Raw>(options: {
  name: string
  database: string
  context: string
  schema: S
  start(config: Readonly<z.infer<S>>, how: { ownProcess: boolean }): Promise<Served>
  connect(settings: DatabaseSettings): Db
  callerKey?: ReturnType<typeof newKey> | undefined
  env?: Record<string, string> | undefined
}): Promise<TestService<Db>> {
  const database = await createMigratedDatabase(options.database)
  const users = newKey('users')
  const caller = options.callerKey ?? newKey('monolith')
  const config = readConfig(options.schema, {
    PORT: '0',
    LOG_LEVEL: 'silent',
    DATABASE_URL: database.url,
    JWT_JWKS: JSON.stringify(publicJwks({ keys: [users] })),
    // For a service that signs users' tokens itself; the others take no notice.
    JWT_KEYS: JSON.stringify({ keys: [users] }),
    JWT_ISSUER: ISSUER,
    INTERNAL_KEY: JSON.stringify(newKey(options.name)),
    INTERNAL_JWKS: JSON.stringify(publicJwks({ keys: [caller] })),
    ...options.env,
  })
  const served = await options.start(config, { ownProcess: false })
  const db = options.connect(databaseSettings(database.url, { name: 'test', max: 5 }))

  const signer = createInternalSigner({ privateJwk: caller, name: caller.kid })
  const identity = { issuer: ISSUER, audience: ISSUER, typ: 'at+jwt', ttlSeconds: 900 }
  const userSigner = createTokenSigner({ ...identity, privateJwk: users })
  const call: TestService<Db>['call'] = async (method, path, { token, body, headers } = {}) => {
    const response = await fetch(served.url + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
  }

  return {
    url: served.url,
    db,
    databaseUrl: database.url,
    call,
    internal: async (method, path, body) => call(method, path, { token: await signer.sign(options.name), body }),
    token: (role, userId = 1) => userSigner.sign({ sub: String(userId), role }),
    setOwner: async (owner) => {
      await db.raw('update banyan.owner set owner = ?, term = term + 1 where context = ?', [owner, options.context])
    },
    async close() {
      await served.close()
      await db.destroy()
      await database.drop()
    },
  }
}
