import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestVhost } from '../support/infra.ts'
import { checkEvent } from './events.ts'
import { startPaymentProvider } from './provider-process.ts'
import { createSampleTeller } from './samples.ts'
import { type ShopProcess, startShopProcess } from './shop-process.ts'
import { contractSuite } from './suite.ts'

// CONTRACT_BASE_URL names a process that runs already, such as the proxy of a whole stack; the internal routes, which
// no proxy passes on, are then left out.
const { CONTRACT_BASE_URL: given, CONTRACT_ADMIN_EMAIL, CONTRACT_ADMIN_PASSWORD } = process.env

let shop: ShopProcess | undefined
let provider: Awaited<ReturnType<typeof startPaymentProvider>> | undefined
let vhost: Awaited<ReturnType<typeof createTestVhost>> | undefined
let teller: Awaited<ReturnType<typeof createSampleTeller>> | undefined
let baseUrl = given ?? ''
let adminToken = ''
beforeAll(async () => {
  if (!given) {
    ;[provider, vhost] = await Promise.all([startPaymentProvider(), createTestVhost()])
    shop = await startShopProcess({ ...provider.env, AMQP_URL: vhost.url, SHIPPING_DELAY_MS: '0' })
    teller = await createSampleTeller(vhost.url)
  }
  baseUrl = shop?.baseUrl ?? baseUrl
  const admin = shop?.admin ?? { email: CONTRACT_ADMIN_EMAIL, password: CONTRACT_ADMIN_PASSWORD }
  const response = await fetch(new URL('/api/sessions', baseUrl), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(admin),
  })
  const session = (await response.json()) as { accessToken?: string; detail?: string }
  if (!session.accessToken) throw new Error(`cannot sign in as the administrator: ${session.detail}`)
  adminToken = session.accessToken
})

describe(`the contract, kept by ${given ?? 'the monolith'}`, () => {
  const own = given ? [] : (['users-internal', 'inventory-internal', 'payments', 'payments-internal'] as const)
  // They are told of events straight from the broker, which is not in public either.
  const told = given ? [] : (['notifications', 'shipping'] as const)
  contractSuite(['common', 'users', 'inventory', ...told, 'orders', ...own], () => ({
    baseUrl,
    adminToken,
    ...(shop ? { serviceToken: shop.serviceToken } : {}),
    ...(teller ? { tell: teller.tell } : {}),
  }))
})

describe('what it told the other contexts meanwhile', () => {
  it('is as the schemas of the events say', async () => {
    if (!shop) return
    const client = new pg.Client({ connectionString: shop.databaseUrl })
    await client.connect()
    const { rows } = await client.query('select type, version, payload from banyan.outbox order by id')
    await client.end()
    expect(rows.flatMap((row) => checkEvent(row))).toEqual([])
    const types = new Set(rows.map((row) => row.type))
    expect([...types]).toEqual(expect.arrayContaining(['UserRegistered', 'ProductChanged', 'ProductDeleted']))
    expect([...types]).toEqual(expect.arrayContaining(['StockReserved', 'StockReleased', 'ShipmentDispatched']))
    expect([...types]).toEqual(expect.arrayContaining(['OrderPlaced', 'OrderConfirmed', 'OrderCancelled']))
    expect([...types]).toEqual(expect.arrayContaining(['PaymentCaptured', 'PaymentRefunded']))
  })
})

afterAll(async () => {
  await teller?.close()
  const code = await shop?.close()
  await Promise.all([provider?.close(), vhost?.drop()])
  if (shop) expect(code).toBe(0)
})
