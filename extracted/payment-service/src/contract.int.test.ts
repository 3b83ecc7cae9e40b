import type { Knex } from 'knex'
import { afterAll, beforeAll } from 'vitest'
import type { TestService } from '../../../kit/service/testing/test-service.ts'
import { startPaymentProvider } from '../../../tests/contracts/provider-process.ts'
import { contractSuite } from '../../../tests/contracts/suite.ts'
import { newKey, serviceToken } from '../../../tests/support/keys.ts'
import { startTestPayments } from './testing/payments.ts'

const caller = newKey('monolith')
const tokens = { adminToken: '', customerToken: '' }
let provider: Awaited<ReturnType<typeof startPaymentProvider>>
let payments: TestService<Knex>

beforeAll(async () => {
  provider = await startPaymentProvider()
  payments = await startTestPayments({ callerKey: caller, env: provider.env })
  await payments.setOwner('service')
  tokens.adminToken = await payments.token('admin')
  tokens.customerToken = await payments.token('customer', 2)
})
afterAll(async () => {
  await payments?.close()
  await provider?.close()
})

// The very tests that the monolith passes: a client cannot tell who answers.
contractSuite(['common', 'payments', 'payments-internal'], () => ({
  baseUrl: payments.url,
  serviceToken: serviceToken(caller, 'payment-service'),
  ...tokens,
}))
