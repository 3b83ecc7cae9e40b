import knex, { type Knex } from 'knex'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestService, type TestService } from '../../../kit/service/testing/test-service.ts'
import { checkEvent } from '../../../tests/contracts/events.ts'
import { createSampleTeller } from '../../../tests/contracts/samples.ts'
import { contractSuite } from '../../../tests/contracts/suite.ts'
import { createTestVhost } from '../../../tests/support/infra.ts'
import { configSchema, startShippingService } from './service.ts'

const tokens = { adminToken: '', customerToken: '' }
let vhost: Awaited<ReturnType<typeof createTestVhost>>
let teller: Awaited<ReturnType<typeof createSampleTeller>>
let service: TestService<Knex>

beforeAll(async () => {
  vhost = await createTestVhost()
  service = await startTestService<typeof configSchema, Knex>({
    name: 'shipping-service',
    database: 'shipping',
    context: 'shipping',
    schema: configSchema,
    start: startShippingService,
    connect: knex,
    env: { AMQP_URL: vhost.url, SHIPPING_DELAY_MS: '0' },
  })
  await service.setOwner('service')
  teller = await createSampleTeller(vhost.url)
  tokens.adminToken = await service.token('admin', 1)
  tokens.customerToken = await service.token('customer', 2)
})
afterAll(async () => {
  await teller?.close()
  await service?.close()
  await vhost?.drop()
})

// The very tests that the monolith passes: a client cannot tell who answers.
contractSuite(['common', 'shipping'], () => ({ baseUrl: service.url, tell: teller.tell, ...tokens }))

it('says what it has done in events that keep their schema', async () => {
  const rows: { type: string; version: number; payload: unknown }[] = await service.db('banyan.outbox')
  expect(rows.flatMap(checkEvent)).toEqual([])
  expect(new Set(rows.map(({ type }) => type))).toEqual(new Set(['ShipmentDispatched']))
})
