import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { orderBody } from '../../../monolith/src/testing/order.ts'
import { reconcile } from '../../../monolith/src/testing/reconcile.ts'
import type { Answer, Passing } from './testing/door.ts'
import { carryOver, startTestOrders, type TestOrders } from './testing/orders.ts'

const BUYERS = 40

let orders: TestOrders
let customer: Awaited<ReturnType<TestOrders['shop']['customer']>>
let keys = 0

beforeAll(async () => {
  orders = await startTestOrders()
})
afterAll(() => orders?.close())
beforeEach(async () => {
  customer = await orders.shop.customer()
})
afterEach(() => {
  orders.door.keeper = ({ pass }) => pass()
})

const place = (change: object = {}, key = `key-${++keys}`) => orders.place(customer.token, key, change)
const available = async (product = 1) =>
  (await orders.shop.db('stock').where({ product_id: product }).first('available')).available
const statusOf = async (id: number) => (await orders.service.db('orders').where({ id }).first('status'))?.status
const until = (seen: () => Promise<boolean>) => expect.poll(seen, { timeout: 20_000, interval: 50 }).toBe(true)
const ended = async () =>
  (await orders.service.db('sagas').whereIn('status', ['RUNNING', 'COMPENSATING']).select('id')).length === 0
/** Everything is at rest and adds up, over three databases' books and the provider's. */
const addsUp = async () => {
  await until(ended)
  await reconcile(orders.shop.db, orders.sandbox, orders.shop.db, orders.service.db)
}

describe('a service that owns orders', () => {
  it('takes an order over remote ports alone, and gives everything back when it is cancelled', async () => {
    const before = await available()
    const { status, body } = await place({ items: [{ productId: 1, quantity: 3 }] })
    expect([status, body.status]).toEqual([201, 'confirmed'])
    expect(await available()).toBe(before - 3)
    expect((await orders.shop.db('orders')).length).toBe(0)
    const cancelled = await orders.service.call('POST', `/api/orders/${body.id}/cancel`, { token: customer.token })
    expect([cancelled.status, cancelled.body.status]).toEqual([200, 'cancelled'])
    expect(await available()).toBe(before)
    await addsUp()
  })

  it('sells the last units exactly as often as they were there, however many buyers come at once', async () => {
    await orders.shop.db('stock').where({ product_id: 2 }).update({ available: 7 })
    // Who hears that inventory is too busy to name its price asks again under the same key.
    const buy = async (key: string) => {
      for (;;) {
        const answer = await place({ items: [{ productId: 2, quantity: 1 }] }, key)
        if (answer.status < 500) return answer.status
      }
    }
    const statuses = await Promise.all(Array.from({ length: BUYERS }, (_, n) => buy(`last-${n}`)))
    await until(ended)
    const sold = await orders.service
      .db('order_items as i')
      .join('orders as o', 'o.id', 'i.order_id')
      .where({ product_id: 2, status: 'confirmed' })
      .count('* as n')
    expect(Number(sold[0]!.n)).toBe(7)
    expect(await available(2)).toBe(0)
    expect(statuses.filter((status) => ![201, 202, 409].includes(status))).toEqual([])
    await addsUp()
  })

  it('reserves nothing for an order that was taken back when the call comes late, past its own repetition', async () => {
    const before = await available()
    await orders.shop.db('stock').where({ product_id: 1 }).update({ available: 0 })
    let late: (() => Promise<Answer>) | undefined
    orders.door.keeper = async ({ path, pass }) => {
      if (path !== '/internal/reservations' || late) return pass()
      late = pass
      throw new Error('the connection breaks, and the request is still on its way')
    }
    const { status, body } = await place()
    expect([status, body.code]).toEqual([409, 'out-of-stock'])
    await until(ended)
    await orders.shop.db('stock').where({ product_id: 1 }).update({ available: before })
    expect(await late!()).toMatchObject({ status: 409 })
    expect(await available()).toBe(before)
    await addsUp()
  })

  it('leaves in the cart what was put in while the order was on its way', async () => {
    const put = (product: number, quantity: number) =>
      orders.service.call('PUT', `/api/cart/items/${product}`, { token: customer.token, body: { quantity } })
    await put(1, 1)
    await put(4, 2)
    orders.door.keeper = async ({ path, pass }) => {
      if (path !== '/internal/reservations') return pass()
      await put(3, 1)
      await put(4, 5)
      return pass()
    }
    const { status, body } = await place({ items: undefined })
    expect([status, body.items.map(({ productId }: { productId: number }) => productId)]).toEqual([201, [1, 4]])
    const cart = await orders.service.call('GET', '/api/cart', { token: customer.token })
    expect(cart.body.items).toMatchObject([
      { productId: 4, quantity: 3 },
      { productId: 3, quantity: 1 },
    ])
  })

  it('orders of a cart what is shown of it: not what nobody sells any more, and nobody has taken out yet', async () => {
    const put = (product: number) =>
      orders.service.call('PUT', `/api/cart/items/${product}`, { token: customer.token, body: { quantity: 1 } })
    const deleted = { user_id: customer.id, product_id: 999_999, quantity: 2 }
    await put(1)
    await orders.service.db('cart_items').insert(deleted)
    const cart = await orders.service.call('GET', '/api/cart', { token: customer.token })
    const { status, body } = await place({ items: undefined })
    expect([status, body.totalCents]).toEqual([201, cart.body.totalCents])
    expect((await place({ items: undefined })).body.code).toBe('cart-empty')
  })

  it('does not say that nothing was done of a cart that is changed and cannot be shown', async () => {
    let asked = 0
    orders.door.keeper = async ({ path, pass }) => {
      if (path !== '/internal/products/lookup' || ++asked === 1) return pass()
      const body = JSON.stringify({ type: 'about:blank', title: 'no', status: 421, code: 'not-owner' })
      return { status: 421, type: 'application/problem+json', headers: { 'banyan-refused': 'not-owner' }, body }
    }
    const put = { token: customer.token, body: { quantity: 1 } }
    const { status, body, headers } = await orders.service.call('PUT', '/api/cart/items/2', put)
    expect([status, body.code, headers.get('banyan-refused')]).toEqual([503, 'inventory-unreachable', null])
    orders.door.keeper = ({ pass }) => pass()
    const cart = await orders.service.call('GET', '/api/cart', { token: customer.token })
    expect(cart.body.items).toMatchObject([{ productId: 2, quantity: 1 }])
  })

  it('takes an account’s word from whoever has it: no order for one that is gone', async () => {
    const gone = await orders.shop.customer()
    await orders.shop.db('users').where({ id: gone.id }).delete()
    expect(await orders.place(gone.token, 'gone')).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
  })
})

it('counts the sagas that wait for a person from nothing on', async () => {
  const figures = await (await fetch(`${orders.service.url}/metrics`)).text()
  for (const saga of ['place-order', 'cancel-order'])
    expect(figures).toContain(`saga_attention_total{saga="${saga}"} 0`)
})

describe('a move', () => {
  it('answers a key that was used before it as it was answered then, and makes no second order', async () => {
    await orders.setOwner('monolith')
    const asked = { token: customer.token, headers: { 'idempotency-key': 'before-and-after' }, body: orderBody() }
    const before = await orders.shop.call('POST', '/api/orders', asked)
    expect(before.status).toBe(201)
    await carryOver(orders.shop.db, orders.service.db)
    await orders.setOwner('service')
    const after = await orders.service.call('POST', '/api/orders', asked)
    expect([after.status, after.body]).toEqual([201, before.body])
    expect(await orders.service.db('orders').where({ user_id: customer.id })).toHaveLength(1)
    const other = await place({ items: [{ productId: 1, quantity: 2 }] }, 'before-and-after')
    expect([other.status, other.body.code]).toEqual([422, 'idempotency-key-reused'])
    const next = await place()
    expect(next.body.id).toBeGreaterThan(before.body.id)
    await orders.shop.db('sagas').delete()
    await orders.shop.db('orders').delete()
    await addsUp()
  })

  it('goes on at once with an order that the other side had in hand, its lease notwithstanding', async () => {
    await orders.setOwner('service')
    // Every call to inventory waits at the door: the saga is in its second step, held by a process of this side.
    const stopped = Promise.withResolvers<void>()
    const at = Promise.withResolvers<void>()
    orders.door.keeper = async ({ path, pass }) => {
      if (path === '/internal/reservations') {
        at.resolve()
        await stopped.promise
      }
      return pass()
    }
    const placing = place({}, 'in-flight')
    await at.promise
    // It wakes up as the other side's: the lease in its row is none that this side must wait for.
    await orders.service
      .db('sagas')
      .update({ lease_owner: 'monolith/gone', lease_until: new Date(Date.now() + 60_000) })
      .where({ status: 'RUNNING' })
    stopped.resolve()
    const answer = await placing
    await until(async () => (await place({}, 'in-flight')).status === 201)
    expect(await statusOf(answer.body.id)).toBe('confirmed')
    await addsUp()
  })
})

describe('a service that does not own orders', () => {
  it.each([
    ['monolith', 421, 'not-owner'],
    ['moving', 503, 'fenced'],
  ] as const)('answers reads and refuses writes while the owner is %s: %s', async (owner, status, reason) => {
    const { body } = await place()
    await orders.service.setOwner(owner)
    try {
      const { token } = customer
      const answers = await Promise.all([
        place(),
        orders.service.call('PUT', '/api/cart/items/1', { token, body: { quantity: 1 } }),
        orders.service.call('DELETE', '/api/cart/items/1', { token }),
        orders.service.call('POST', `/api/orders/${body.id}/cancel`, { token }),
        // What this side does not know of, the owner may.
        place({ items: undefined }),
        orders.service.call('POST', `/api/orders/${body.id + 1_000}/cancel`, { token }),
      ])
      for (const answer of answers)
        expect([answer.status, answer.headers.get('banyan-refused')]).toEqual([status, reason])
      expect((await orders.service.call('GET', `/api/orders/${body.id}`, { token })).body.id).toBe(body.id)
    } finally {
      await orders.service.setOwner('service')
    }
  })
})

describe('messages that come too late', () => {
  it('a charge that succeeds after everybody stopped waiting is the order’s, once', async () => {
    const { status, body } = await place({ paymentToken: 'tok_timeout' }, 'late')
    expect([201, 202]).toContain(status)
    await until(async () => (await statusOf(body.id)) === 'confirmed')
    expect((await place({ paymentToken: 'tok_timeout' }, 'late')).status).toBe(201)
    await addsUp()
  })

  it.each(['/internal/reservations', '/internal/charges'])(
    'a cancellation that overtakes %s leaves nothing behind when that arrives at last',
    async (path) => {
      const before = await available()
      const overtaken: Passing[] = []
      orders.door.keeper = async (call) => {
        if (call.path !== path) return call.pass()
        overtaken.push(call)
        return { status: 504, type: 'application/json', body: '{}' }
      }
      const { status, body } = await place()
      expect(status).toBe(202)
      const { token } = customer
      await orders.service.call('POST', `/api/orders/${body.id}/cancel`, { token })
      await until(async () => (await statusOf(body.id)) === 'cancelled')
      expect(overtaken.length).toBeGreaterThan(0)
      for (const call of overtaken) expect((await call.pass()).status).toBe(409)
      expect(await available()).toBe(before)
      await addsUp()
    },
  )
})
