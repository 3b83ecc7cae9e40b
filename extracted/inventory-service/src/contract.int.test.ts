import { afterAll, beforeAll } from 'vitest'
import { contractSuite } from '../../../tests/contracts/suite.ts'
import { newKey, serviceToken } from '../../../tests/support/keys.ts'
import { startTestInventory, type TestInventory } from './testing/inventory.ts'

const caller = newKey('monolith')
const tokens = { adminToken: '', customerToken: '' }
let inventory: TestInventory

beforeAll(async () => {
  inventory = await startTestInventory({ callerKey: caller })
  await inventory.setOwner('service')
  tokens.adminToken = await inventory.token('admin')
  tokens.customerToken = await inventory.token('customer')
})
afterAll(() => inventory?.close())

// The very tests that the monolith passes: a client cannot tell who answers.
contractSuite(['common', 'inventory', 'inventory-internal'], () => ({
  baseUrl: inventory.url,
  serviceToken: serviceToken(caller, 'inventory-service'),
  ...tokens,
}))
