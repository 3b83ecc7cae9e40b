import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type ArmedFailPoints, armFailPoints } from '@banyan/kit/service'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { newKey } from '../../../tests/support/keys.ts'
import { type Sandbox, startSandbox } from '../testing/sandbox.ts'
import { startTestShop, type TestShop } from '../testing/shop.ts'

// A second shop plays the inventory service: it keeps the same internal contract. Only the name it wants to be called
// by is another, so what comes for the service is passed on under its own.
let sandbox: Sandbox
let there: TestShop
let here: TestShop
let door: Server
let customer: Awaited<ReturnType<TestShop['customer']>>
let armed: ArmedFailPoints | undefined
let keys = 0

beforeAll(async () => {
  sandbox = await startSandbox()
  there = await startTestShop()
  door = createServer(async (req, res) => {
    const body = await text(req)
    const answer = await there.internal(req.method!, req.url!, body || undefined)
    res.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' })
    res.end(JSON.stringify(answer.body))
  })
  await new Promise<void>((done) => door.listen(0, '127.0.0.1', done))
  here = await startTestShop({
    ...sandbox.env,
    INVENTORY_SERVICE_URL: `http://127.0.0.1:${(door.address() as AddressInfo).port}`,
    INTERNAL_KEY: JSON.stringify(newKey('monolith')),
  })
  await here.db.raw('alter table order_items drop constraint order_items_product_id_fkey')
})
afterAll(async () => {
  await here?.close()
  door?.close()
  await there?.close()
  await sandbox?.close()
})
beforeEach(async () => {
  armed?.disarm()
  customer = await here.customer()
  await ownInventory('service')
})

const ownInventory = (owner: string) =>
  here.db.raw('update banyan.owner set owner = ? where context = ?', [owner, 'inventory'])
const order = (body: object = {}) =>
  here.order(customer.token, `key-${++keys}`, { items: [{ productId: 1, quantity: 2 }], ...body })
const available = async (shop: TestShop) =>
  (await shop.db('stock').where({ product_id: 1 }).first('available')).available
const reservationOf = (shop: TestShop, orderId: number) => shop.db('reservations').where({ order_id: orderId }).first()

it('sells the stock of the other house, and leaves its own alone', async () => {
  const before = [await available(here), await available(there)]
  const { status, body } = await order()
  expect(status).toBe(201)
  expect([await available(here), await available(there)]).toEqual([before[0], before[1] - 2])
  expect((await reservationOf(there, body.id)).status).toBe('confirmed')
  expect(await reservationOf(here, body.id)).toBeUndefined()
  await here.call('POST', `/api/orders/${body.id}/cancel`, { token: customer.token })
  expect(await available(there)).toBe(before[1])
})

it('gives the other house its stock back when the payment is declined', async () => {
  const before = await available(there)
  expect((await order({ paymentToken: 'tok_declined' })).status).toBe(402)
  expect(await available(there)).toBe(before)
})

it('passes on what the other house says of a shortage', async () => {
  const { status, body } = await order({ items: [{ productId: 1, quantity: 999 }] })
  expect(status).toBe(409)
  expect(body).toMatchObject({ code: 'out-of-stock', lines: [{ productId: 1, requested: 999 }] })
})

it('reserves as much in the other house as it would here: all that one order can ask for of a product', async () => {
  await there.db('products').where({ id: 1 }).update({ price_cents: 100 })
  const items = Array(100).fill({ productId: 1, quantity: 1_000 })
  const { status, body } = await order({ items })
  expect(status).toBe(409)
  expect(body).toMatchObject({ code: 'out-of-stock', lines: [{ productId: 1, requested: 100_000 }] })
})

it('rule 25: holds no lock of ownership while it calls, for which a move would wait', async () => {
  armed = armFailPoints('remote-inventory.before-reserve=hang')
  const answer = order()
  const end = Date.now() + 10_000
  while (armed.reached('remote-inventory.before-reserve') === 0) {
    if (Date.now() > end) throw new Error('the call was never made')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await here.db.transaction(async (trx) => {
    await trx.raw("set local lock_timeout = '500ms'")
    await trx.raw('lock table banyan.owner in exclusive mode')
  })
  armed.release('remote-inventory.before-reserve')
  expect((await answer).status).toBe(201)
})

it('waits through a switch, and goes on with whoever owns inventory then', async () => {
  await ownInventory('moving')
  const answer = order()
  await new Promise((resolve) => setTimeout(resolve, 300))
  await ownInventory('monolith')
  const { status, body } = await answer
  expect(status).toBe(201)
  expect((await reservationOf(here, body.id)).status).toBe('confirmed')
  expect(await reservationOf(there, body.id)).toBeUndefined()
})

it('asks the other house again under the same key when an answer was lost, and sells once', async () => {
  const before = await available(there)
  armed = armFailPoints('remote-inventory.after-reserve=once:throw, remote-inventory.after-confirm=once:throw')
  const { status } = await order()
  expect(status).toBe(201)
  expect(await available(there)).toBe(before - 2)
})
