import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { orderBody, SHIPPING_ADDRESS } from '../testing/order.ts'
import { reconcile } from '../testing/reconcile.ts'
import { type Sandbox, startSandbox } from '../testing/sandbox.ts'
import { startTestShop, type TestShop } from '../testing/shop.ts'

let sandbox: Sandbox
let shop: TestShop
let customer: Awaited<ReturnType<TestShop['customer']>>
let keys = 0

beforeAll(async () => {
  sandbox = await startSandbox()
  shop = await startTestShop(sandbox.env)
})
afterAll(async () => {
  await shop?.close()
  await sandbox?.close()
})
beforeEach(async () => {
  customer = await shop.customer()
})

const stockOf = async (productId: number) =>
  shop.db('stock').where({ product_id: productId }).first('available', 'reserved')
const setStock = (productId: number, available: number) =>
  shop.db('stock').where({ product_id: productId }).update({ available })

const order = (body: object = {}, key = `key-${++keys}`, token = customer.token) =>
  shop.order(token, key, { items: [{ productId: 1, quantity: 2 }], ...body })

it.each([
  ['tok_visa', 1],
  ['tok_flaky', 1],
  ['tok_timeout', 1],
])('confirms an order paid with %s, and charges it once', async (paymentToken, charges) => {
  const before = await stockOf(1)
  const { status, body, headers } = await order({ paymentToken })
  expect({ status, state: body.status }).toEqual({ status: 201, state: 'confirmed' })
  expect(headers.get('location')).toBe(`/api/orders/${body.id}`)
  expect(body).not.toHaveProperty('customer')
  const entries = (await sandbox.ledger()).filter((entry) => entry.key === `order-${body.id}`)
  expect(entries.map((entry) => entry.kind)).toEqual(Array(charges).fill('charge'))
  expect(entries[0]!.amountCents).toBe(body.totalCents)
  expect(await stockOf(1)).toEqual({ available: before.available - 2, reserved: before.reserved })
  const { body: payments } = await shop.call('GET', `/api/payments?orderId=${body.id}`, { token: customer.token })
  expect(payments).toMatchObject({ total: 1, items: [{ status: 'captured', amountCents: body.totalCents }] })
  const [saga] = (await shop.db('sagas').where({ id: `place-${body.id}` })) as { data: object; status: string }[]
  expect(saga).toMatchObject({ status: 'COMPLETED', data: { paymentToken: null } })
})

it('refuses an order that is dearer than what can be charged at once, and keeps nothing of it', async () => {
  const { price_cents: before } = await shop.db('products').where({ id: 1 }).first('price_cents')
  await shop.db('products').where({ id: 1 }).update({ price_cents: 1_000_000 })
  const { status, body } = await order({ items: Array(30).fill({ productId: 1, quantity: 1_000 }) }, 'dear')
  const least = await order({ items: [{ productId: 1, quantity: 101 }] })
  await shop.db('products').where({ id: 1 }).update({ price_cents: 100_000_000 })
  const most = await order({ items: [{ productId: 1, quantity: 1 }] })
  await shop.db('products').where({ id: 1 }).update({ price_cents: before })
  expect({ status, code: body.code }).toEqual({ status: 422, code: 'order-too-dear' })
  expect(least.body.code).toBe('order-too-dear')
  expect([most.status, most.body.status]).toEqual([201, 'confirmed'])
  expect(await shop.db('orders').where({ idempotency_key: 'dear' }).first()).toBeUndefined()
})

it('confirms an order that costs nothing, and asks nobody for money, nor to give it back', async () => {
  const { price_cents: before } = await shop.db('products').where({ id: 1 }).first('price_cents')
  await shop.db('products').where({ id: 1 }).update({ price_cents: 0 })
  const { status, body } = await order()
  await shop.db('products').where({ id: 1 }).update({ price_cents: before })
  expect({ status, totalCents: body.totalCents }).toEqual({ status: 201, totalCents: 0 })
  const back = await shop.call('POST', `/api/orders/${body.id}/cancel`, { token: customer.token })
  expect(back.body.status).toBe('cancelled')
  expect((await sandbox.ledger()).filter((entry) => entry.key === `order-${body.id}`)).toEqual([])
})

it('answers 402 when the payment is declined, gives the goods back, and answers the same again', async () => {
  const before = await stockOf(1)
  const { status, body, headers } = await order({ paymentToken: 'tok_declined' }, 'declined')
  expect({ status, code: body.code }).toEqual({ status: 402, code: 'payment-declined' })
  expect(headers.get('content-type')).toContain('application/problem+json')
  expect(await stockOf(1)).toEqual(before)
  expect((await order({ paymentToken: 'tok_declined' }, 'declined')).body).toMatchObject({
    code: 'payment-declined',
    orderId: body.orderId,
  })
  const { body: stored } = await shop.call('GET', `/api/orders/${body.orderId}`, { token: customer.token })
  expect(stored).toMatchObject({ status: 'cancelled', cancelReason: 'payment-declined' })
  const saga = await shop
    .db('sagas')
    .where({ id: `place-${body.orderId}` })
    .first('data')
  expect(saga).toMatchObject({ data: { paymentToken: null } })
})

it('answers 409 with the lines when not enough is left, and asks nobody for money', async () => {
  await setStock(2, 1)
  const { status, body } = await order({ items: [{ productId: 2, quantity: 2 }] })
  expect(status).toBe(409)
  expect(body).toMatchObject({ code: 'out-of-stock', lines: [{ productId: 2, requested: 2, available: 1 }] })
  expect((await sandbox.ledger()).filter((entry) => entry.key === `order-${body.orderId}`)).toEqual([])
  const events = await shop.db('banyan.outbox').where({ stream: `order-${body.orderId}` })
  expect(events).toEqual([])
})

it('makes one order of 20 requests at once with one key', async () => {
  const before = await stockOf(1)
  const answers = await Promise.all(Array.from({ length: 20 }, () => order({}, 'twenty')))
  expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([201]))
  expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1)
  expect((await stockOf(1)).available).toBe(before.available - 2)
})

it('refuses a key that was used for another request', async () => {
  await order({}, 'reused')
  const { status, body } = await order({ items: [{ productId: 1, quantity: 1 }] }, 'reused')
  expect({ status, code: body.code }).toEqual({ status: 422, code: 'idempotency-key-reused' })
})

it('keeps the keys of two customers apart', async () => {
  const mine = await order({}, 'shared')
  const other = await shop.customer()
  const theirs = await order({}, 'shared', other.token)
  expect(theirs.status).toBe(201)
  expect(theirs.body.id).not.toBe(mine.body.id)
  const peek = await shop.call('GET', `/api/orders/${mine.body.id}`, { token: other.token })
  expect(peek.status).toBe(404)
})

it('orders what is in the cart, and empties it', async () => {
  const { token } = customer
  await shop.call('PUT', '/api/cart/items/3', { token, body: { quantity: 2 } })
  const { body: cart } = await shop.call('PUT', '/api/cart/items/4', { token, body: { quantity: 1 } })
  expect(cart.items.map((item: { productId: number }) => item.productId)).toEqual([3, 4])
  const { status, body } = await order({ items: undefined })
  expect({ status, total: body.totalCents }).toEqual({ status: 201, total: cart.totalCents })
  expect((await shop.call('GET', '/api/cart', { token })).body).toEqual({ items: [], totalCents: 0 })
  expect((await order({ items: undefined })).body.code).toBe('cart-empty')
})

it.each([
  ['no key', {}, {}, 400, 'idempotency-key-required'],
  ['an unknown product', { items: [{ productId: 999_999, quantity: 1 }] }, undefined, 422, 'unknown-product'],
  ['no items', { items: [] }, undefined, 422, 'invalid-request'],
  ['a token of no provider', { paymentToken: 'visa' }, undefined, 422, 'invalid-request'],
  ['a field nobody knows', { coupon: 'x' }, undefined, 422, 'invalid-request'],
  [
    'half a character',
    { shippingAddress: { ...SHIPPING_ADDRESS, name: 'Ada \ud83d' } },
    undefined,
    422,
    'invalid-request',
  ],
])('refuses a request with %s', async (_what, change, headers, status, code) => {
  const answer = await shop.call('POST', '/api/orders', {
    token: customer.token,
    headers: headers ?? { 'idempotency-key': `bad-${++keys}` },
    body: orderBody(change),
  })
  expect({ status: answer.status, code: answer.body.code }).toEqual({ status, code })
})

it('cancels a confirmed order once, however often it is asked, and gives back money and goods', async () => {
  const before = await stockOf(1)
  const { body: placed } = await order()
  const cancel = () => shop.call('POST', `/api/orders/${placed.id}/cancel`, { token: customer.token })
  const answers = await Promise.all([cancel(), cancel(), cancel()])
  expect(answers.map(({ status, body }) => [status, body.status])).toEqual(Array(3).fill([200, 'cancelled']))
  expect((await cancel()).body.status).toBe('cancelled')
  expect(await stockOf(1)).toEqual(before)
  expect((await sandbox.heldCents()).get(`order-${placed.id}`)).toBe(0)
  const events = await shop
    .db('banyan.outbox')
    .where({ stream: `order-${placed.id}` })
    .orderBy('id')
  expect(events.map((event) => event.type)).toEqual(['OrderPlaced', 'OrderConfirmed', 'OrderCancelled'])
})

it('says that staff looks after an order whose way back has stopped, and changes nothing of it', async () => {
  const { body: placed } = await order()
  // As a compensation that failed for good leaves it.
  await shop.db('orders').where({ id: placed.id }).update({ status: 'pending' })
  await shop
    .db('sagas')
    .where({ id: `place-${placed.id}` })
    .update({ status: 'NEEDS_ATTENTION' })
  const { status, body } = await shop.call('POST', `/api/orders/${placed.id}/cancel`, { token: customer.token })
  expect([status, body.code]).toEqual([409, 'order-stuck'])
  expect((await shop.db('orders').where({ id: placed.id }).first('status')).status).toBe('pending')
  await shop.db('orders').where({ id: placed.id }).update({ status: 'confirmed' })
  await shop
    .db('sagas')
    .where({ id: `place-${placed.id}` })
    .update({ status: 'COMPLETED' })
})

it('ends a cancellation that races with the placing in one of the two, with the books straight', async () => {
  const ends = await Promise.all(
    Array.from({ length: 12 }, async (_one, n) => {
      const own = await shop.customer()
      const key = `race-${n}`
      const placing = order({ paymentToken: n % 3 ? 'tok_visa' : 'tok_timeout' }, key, own.token)
      const started = await poll(async () => (await shop.db('orders').where({ user_id: own.id }).first('id'))?.id)
      const cancelled = await shop.call('POST', `/api/orders/${started}/cancel`, { token: own.token })
      await placing
      // 202 on a slow machine: it is on its way, and gets there.
      await poll(async () => {
        const { body } = await shop.call('GET', `/api/orders/${started}`, { token: own.token })
        return body.status === 'cancelled' || undefined
      })
      return cancelled.status
    }),
  )
  for (const status of ends) expect([200, 202]).toContain(status)
  await poll(async () => {
    const open = await shop.db('sagas').whereIn('status', ['RUNNING', 'COMPENSATING'])
    return open.length === 0 || undefined
  })
  await reconcile(shop.db, sandbox)
})

it('gives money back in parts, once a key, and never more than was paid', async () => {
  const token = await shop.adminToken()
  const { body: placed } = await order()
  const { body: payments } = await shop.call('GET', `/api/payments?orderId=${placed.id}`, { token: customer.token })
  const refund = (key: string, amountCents?: number, as = token) =>
    shop.call('POST', `/api/payments/${payments.items[0].id}/refunds`, {
      token: as,
      headers: { 'idempotency-key': key },
      body: { reason: 'damaged', amountCents },
    })
  expect((await refund('r1', 10, customer.token)).status).toBe(403)
  const answers = await Promise.all([refund('r1', 10), refund('r1', 10), refund('r1', 10)])
  expect(answers.map(({ body }) => body.status)).toContain('done')
  expect((await refund('r1', 11)).body.code).toBe('idempotency-key-reused')
  expect((await refund('r2', placed.totalCents)).body).toMatchObject({ code: 'refund-too-large' })
  expect((await refund('r3')).body).toMatchObject({ amountCents: placed.totalCents - 10, status: 'done' })
  expect((await sandbox.heldCents()).get(`order-${placed.id}`)).toBe(0)
})

it('lists the orders of their customer, newest first', async () => {
  const first = await order()
  const second = await order()
  const { body } = await shop.call('GET', '/api/orders?size=1', { token: customer.token })
  expect(body).toMatchObject({ page: 1, size: 1, total: 2, items: [{ id: second.body.id }] })
  const next = await shop.call('GET', '/api/orders?size=1&page=2', { token: customer.token })
  expect(next.body.items[0].id).toBe(first.body.id)
})

it('has the books straight after all of this: payments, provider and stock to the unit', async () => {
  await reconcile(shop.db, sandbox)
})

const poll = async <T>(look: () => Promise<T | undefined>): Promise<T> => {
  const until = Date.now() + 10_000
  for (;;) {
    const seen = await look()
    if (seen !== undefined) return seen
    if (Date.now() > until) throw new Error('nothing seen within 10 s')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
