import { afterAll, beforeAll } from 'vitest'
import { contractSuite } from '../../../tests/contracts/suite.ts'
import { newKey, serviceToken } from '../../../tests/support/keys.ts'
import { startTestUsers, type TestUsers } from './testing/users.ts'

const caller = newKey('monolith')
let users: TestUsers
let adminToken = ''

beforeAll(async () => {
  users = await startTestUsers({ callerKey: caller })
  await users.setOwner('service')
  adminToken = await users.token('admin')
})
afterAll(() => users?.close())

// The very tests that the monolith passes: a client cannot tell who answers.
contractSuite(['common', 'users', 'users-internal'], () => ({
  baseUrl: users.url,
  adminToken,
  serviceToken: serviceToken(caller, 'user-service'),
}))
