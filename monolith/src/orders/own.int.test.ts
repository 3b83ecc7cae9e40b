import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Sandbox, startSandbox } from '../testing/sandbox.ts'
import { startTestShop, type TestShop } from '../testing/shop.ts'

// Carts and orders are each customer's own: nobody sees, changes or takes back another's.

let sandbox: Sandbox
let shop: TestShop
let mine: string
let theirs: string
beforeAll(async () => {
  sandbox = await startSandbox()
  shop = await startTestShop(sandbox.env)
})
afterAll(async () => {
  await shop?.close()
  await sandbox?.close()
})
beforeEach(async () => {
  mine = (await shop.customer()).token
  theirs = (await shop.customer()).token
})

const put = (token: string, product: number, quantity: number) =>
  shop.call('PUT', `/api/cart/items/${product}`, { token, body: { quantity } })
const cart = async (token: string): Promise<number[][]> =>
  (await shop.call('GET', '/api/cart', { token })).body.items.map(
    ({ productId, quantity }: { productId: number; quantity: number }) => [productId, quantity],
  )
/** Of the cart, where no items are named. */
const order = (token: string, key: string, items?: object[]) => shop.order(token, key, { items })
const cancel = (token: string, id: number) => shop.call('POST', `/api/orders/${id}/cancel`, { token })

it('a cart is shown to its owner, changed and emptied by its owner alone', async () => {
  await put(mine, 1, 1)
  await put(theirs, 1, 2)
  await put(theirs, 2, 3)
  expect([await cart(mine), await cart(theirs)]).toEqual([
    [[1, 1]],
    [
      [1, 2],
      [2, 3],
    ],
  ])
  await shop.call('DELETE', '/api/cart/items/2', { token: mine })
  const { status, body } = await order(mine, 'from-my-cart')
  expect([status, body.items.length]).toEqual([201, 1])
  expect([await cart(mine), await cart(theirs)]).toEqual([
    [],
    [
      [1, 2],
      [2, 3],
    ],
  ])
})

it('a cart is emptied by its own order alone, which is answered alike when it is asked for again', async () => {
  await put(mine, 3, 2)
  await order(mine, 'of-named-items', [{ productId: 3, quantity: 1 }])
  expect(await cart(mine)).toEqual([[3, 2]])
  const first = await order(mine, 'of-the-cart')
  expect(await cart(mine)).toEqual([])
  const again = await order(mine, 'of-the-cart')
  expect([again.status, again.body]).toEqual([201, first.body])
})

it('a cart has a hundred products, also when several come for the last place at once', async () => {
  await put(mine, 1, 1)
  await shop.db.raw(
    `insert into cart_items (user_id, product_id, quantity)
     select (select max(user_id) from carts), n, 1 from generate_series(2, 99) n`,
  )
  const answers = await Promise.all([100, 101, 102].map((product) => put(mine, product, 1)))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 422, 422])
  expect((await put(mine, 103, 1)).body.code).toBe('cart-full')
  expect((await put(mine, 1, 5)).status).toBe(200)
})

it('an order is shown to, listed for and taken back by the customer who placed it, and nobody else', async () => {
  const { body: placed } = await order(mine, 'mine', [{ productId: 1, quantity: 1 }])
  const answers = [
    await shop.call('GET', `/api/orders/${placed.id}`, { token: theirs }),
    await cancel(theirs, placed.id),
    await cancel(await shop.adminToken(), placed.id),
  ]
  expect(answers.map(({ status, body }) => [status, body.code])).toEqual(Array(3).fill([404, 'order-not-found']))
  expect((await shop.call('GET', '/api/orders', { token: theirs })).body.items).toEqual([])
  expect((await shop.call('GET', `/api/orders/${placed.id}`, { token: mine })).body.status).toBe('confirmed')
  expect((await cancel(mine, placed.id)).body.status).toBe('cancelled')
})

it('an order whose cancellation has stopped is said to be stuck, not to be on its way to that', async () => {
  const { body: placed } = await order(mine, 'stuck', [{ productId: 1, quantity: 1 }])
  await cancel(mine, placed.id)
  // As a cancellation that could not go on leaves it.
  await shop.db('orders').where({ id: placed.id }).update({ status: 'cancelling' })
  await shop
    .db('sagas')
    .where({ id: `cancel-${placed.id}` })
    .update({ status: 'NEEDS_ATTENTION' })
  const { status, body } = await cancel(mine, placed.id)
  expect([status, body.code]).toEqual([409, 'order-stuck'])
})
