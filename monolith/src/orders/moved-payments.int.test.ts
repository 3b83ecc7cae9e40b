import { join } from 'node:path'
import { databaseSettings, publicJwks } from '@banyan/kit/service'
import knex, { type Knex } from 'knex'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freePorts } from '../../../compose/embedded/ports.ts'
import { newKey } from '../../../tests/support/keys.ts'
import { createMigratedDatabase } from '../../../tests/support/migrated-database.ts'
import { orderBody } from '../testing/order.ts'
import { type ShopProcess, startShopProcess } from '../testing/process.ts'
import { reconcile } from '../testing/reconcile.ts'
import { type Sandbox, startSandbox } from '../testing/sandbox.ts'
import { startTestShop, type TestShop } from '../testing/shop.ts'

const SERVICE = join(import.meta.dirname, '../../../extracted/payment-service/src/main.ts')
const key = newKey('monolith')

let sandbox: Sandbox
let shop: TestShop
let payments: Knex
let customer: Awaited<ReturnType<TestShop['customer']>>
/** The payment service, as long as it lives. */
let service: ShopProcess | undefined
let serviceEnv: Record<string, string>
let shopEnv: Record<string, string>
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  const [port] = (await freePorts(1)) as [number]
  const [started, database] = await Promise.all([startSandbox(), createMigratedDatabase('payments')])
  sandbox = started
  const toService = { PAYMENT_SERVICE_URL: `http://127.0.0.1:${port}`, INTERNAL_KEY: JSON.stringify(key) }
  shop = await startTestShop({ ...sandbox.env, ...toService })
  payments = knex(databaseSettings(database.url, { name: 'test', max: 3 }))
  closing.push(
    () => database.drop(),
    () => payments.destroy(),
    () => sandbox.close(),
    () => shop.close(),
  )
  for (const db of [shop.db, payments])
    await db.raw("update banyan.owner set owner = 'service' where context = 'payments'")
  const { DATABASE_URL, JWT_KEYS, JWT_ISSUER } = shop.config
  shopEnv = { ...sandbox.env, ...toService, DATABASE_URL, JWT_KEYS: JSON.stringify(JWT_KEYS), JWT_ISSUER }
  serviceEnv = {
    ...sandbox.env,
    PORT: String(port),
    DATABASE_URL: database.url,
    JWT_ISSUER,
    JWT_JWKS: JSON.stringify(publicJwks(JWT_KEYS)),
    INTERNAL_JWKS: JSON.stringify(publicJwks({ keys: [key] })),
  }
  customer = await shop.customer()
})
afterAll(async () => {
  await service?.close()
  for (const close of closing.reverse()) await close()
})

/** @param dieAt the fail point at which it is to be killed */
const serve = async (dieAt?: string): Promise<void> => {
  await service?.close()
  service = await startShopProcess({ ...serviceEnv, FAIL_POINTS: dieAt ? `${dieAt}=kill` : '' }, SERVICE)
}
/** The service is killed, and the next one serves in its place. */
const killed = async (next?: string): Promise<void> => {
  expect(await service?.ended).toBe('SIGKILL')
  await serve(next)
}
const order = (name: string, paymentToken = 'tok_visa', url = shop.url) =>
  fetch(`${url}/api/orders`, {
    method: 'POST',
    headers: { authorization: `Bearer ${customer.token}`, 'content-type': 'application/json', 'idempotency-key': name },
    body: JSON.stringify(orderBody({ paymentToken })),
  })
const cancel = (id: number, url = shop.url) =>
  fetch(`${url}/api/orders/${id}/cancel`, { method: 'POST', headers: { authorization: `Bearer ${customer.token}` } })
const idOf = async (name: string): Promise<number> =>
  (await shop.db('orders').where({ idempotency_key: name }).first('id')).id
const ends = (name: string, status: string) =>
  expect
    .poll(async () => (await shop.db('orders').where({ idempotency_key: name }).first('status')).status, {
      timeout: 45_000,
    })
    .toBe(status)

it('takes and gives back the money in the other house, and leaves its own books alone', async () => {
  await serve()
  expect((await order('paid')).status).toBe(201)
  expect((await order('declined', 'tok_declined')).status).toBe(402)
  expect((await order('late', 'tok_timeout')).status).toBe(201)
  expect((await cancel(await idOf('late'))).status).toBe(200)
  expect(await shop.db('payments')).toEqual([])
  const rows = await payments('payments').orderBy('order_id').pluck('status')
  expect(rows).toEqual(['captured', 'declined', 'refunded'])
  await reconcile(shop.db, sandbox, payments)
})

it('survives a SIGKILL of the service at every point around the money: one order, killed at each of them', async () => {
  await serve('payments.before-charge')
  void order('unlucky')
  await killed('payments.after-charge')
  await killed('payments.before-cancel')
  await ends('unlucky', 'confirmed')
  const id = await idOf('unlucky')
  void cancel(id)
  await killed('payments.after-cancel')
  await killed('payments.after-refund')
  await ends('unlucky', 'cancelled')

  // Nobody asks for this refund again: the worker of the next process settles it by itself.
  const paid = await payments('payments')
    .where({ order_id: await idOf('paid') })
    .first('id')
  const refund = fetch(`${shopEnv.PAYMENT_SERVICE_URL}/api/payments/${paid.id}/refunds`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await shop.adminToken()}`,
      'content-type': 'application/json',
      'idempotency-key': 'half',
    },
    body: JSON.stringify({ amountCents: 1, reason: 'scratched' }),
  })
  await expect(refund).rejects.toThrow()
  await killed()
  await expect
    .poll(() => payments('refunds').where({ reason: 'scratched' }).pluck('status'), { timeout: 20_000 })
    .toEqual(['done'])
  await reconcile(shop.db, sandbox, payments)
})

it('survives a SIGKILL of the monolith before and after each call to the service', async () => {
  const dieAt = async (point: string, request: (url: string) => Promise<Response>) => {
    const doomed = await startShopProcess({ ...shopEnv, FAIL_POINTS: `remote-payments.${point}=kill` })
    await expect(request(doomed.url)).rejects.toThrow()
    expect(await doomed.ended).toBe('SIGKILL')
  }
  expect((await order('gone-before')).status).toBe(201)
  expect((await order('gone-after')).status).toBe(201)
  const [before, after] = [await idOf('gone-before'), await idOf('gone-after')]
  await Promise.all([
    dieAt('before-charge', (url) => order('charged-before', 'tok_visa', url)),
    dieAt('after-charge', (url) => order('charged-after', 'tok_visa', url)),
    dieAt('before-cancel', (url) => cancel(before, url)),
    dieAt('after-cancel', (url) => cancel(after, url)),
  ])
  // The shop of this test, which lives, takes over what the dead ones have left.
  for (const name of ['charged-before', 'charged-after']) await ends(name, 'confirmed')
  for (const name of ['gone-before', 'gone-after']) await ends(name, 'cancelled')
  await reconcile(shop.db, sandbox, payments)
})
