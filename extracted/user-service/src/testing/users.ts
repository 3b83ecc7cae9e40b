import knex, { type Knex } from 'knex'
import { startTestService, type TestService } from '../../../../kit/service/testing/test-service.ts'
import type { PrivateKey } from '../../../../tests/support/keys.ts'
import { configSchema, startUserService } from '../service.ts'

export type TestUsers = TestService<Knex> & {
  /** Opens an account and signs it in; the service must own users. */
  customer(): Promise<{ id: number; email: string; name: string; token: string; refreshToken: string }>
}

/**
 * Starts the service in this process on a database of its own; argon2 is set as cheap as it goes.
 * @param options.callerKey the key the monolith signs with; a new one unless given
 * @param options.env variables that differ
 */
export async function startTestUsers(
  options: { callerKey?: PrivateKey; env?: Record<string, string> } = {},
): Promise<TestUsers> {
  const service = await startTestService<typeof configSchema, Knex>({
    name: 'user-service',
    database: 'users',
    context: 'users',
    schema: configSchema,
    start: startUserService,
    connect: knex,
    ...options,
    env: {
      ARGON2_MEMORY_KIB: '8',
      ARGON2_PASSES: '1',
      ...options.env,
    },
  })
  let customers = 0
  return {
    ...service,
    async customer() {
      const account = { email: `customer-${++customers}@users.test`, password: 'correct horse', name: 'Customer' }
      const { body: user } = await service.call('POST', '/api/users', { body: account })
      const { email, password } = account
      const { body } = await service.call('POST', '/api/sessions', { body: { email, password } })
      return { id: user.id, email, name: user.name, token: body.accessToken, refreshToken: body.refreshToken }
    },
  }
}
