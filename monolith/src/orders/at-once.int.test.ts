import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Sandbox, startSandbox } from '../testing/sandbox.ts'
import { startTestShop, type TestShop } from '../testing/shop.ts'
import { takeOrdered } from './cart.ts'

// What comes in between the look of a transaction and its write.

/** Whoever takes the first product out of a cart waits for the holder of this lock. */
const BARRIER = 4712

let sandbox: Sandbox
let shop: TestShop
beforeAll(async () => {
  sandbox = await startSandbox()
  shop = await startTestShop(sandbox.env)
})
afterAll(async () => {
  await shop?.close()
  await sandbox?.close()
})

/** Until so many sessions wait for a lock, or the work has ended without waiting. */
const waiting = async (sessions: number, work: Promise<unknown>) => {
  let over = false
  void work.then(() => {
    over = true
  })
  const seen = async () => {
    const { rows } = await shop.db.raw(
      `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    return over || rows[0].n >= sessions
  }
  await expect.poll(seen, { timeout: 20_000, interval: 20 }).toBe(true)
}

it('what is put into the cart while what was ordered is taken out of it stays', async () => {
  const { id, token } = await shop.customer()
  const put = (product: number, quantity: number) =>
    shop.call('PUT', `/api/cart/items/${product}`, { token, body: { quantity } })
  await put(1, 1)
  await put(2, 1)
  await shop.db.raw(`
    create function wait_here() returns trigger language plpgsql as $$ begin
      perform pg_advisory_xact_lock(${BARRIER}); return old; end $$;
    create trigger wait_here before delete on cart_items for each row
      when (old.product_id = 1) execute function wait_here()`)
  const barrier = await shop.db.transaction()
  await barrier.raw('select pg_advisory_xact_lock(?)', [BARRIER])
  const lines = [1, 2].map((productId) => ({ productId, quantity: 1 }))
  const taking = shop.db.transaction((trx) => takeOrdered(trx, id, lines))
  await waiting(1, taking)
  const putting = put(2, 5)
  await waiting(2, putting)
  await barrier.commit()
  await Promise.all([taking, putting])
  await shop.db.raw('drop function wait_here cascade')
  const { body } = await shop.call('GET', '/api/cart', { token })
  expect(body.items).toMatchObject([{ productId: 2, quantity: 5 }])
})

it('an order whose parcel leaves while its cancellation looks is not cancelled', async () => {
  const { token } = await shop.customer()
  const { body: placed } = await shop.order(token, 'leaving')
  const leaving = await shop.db.transaction()
  await leaving('orders').where({ id: placed.id }).update({ status: 'shipped' })
  const cancelling = shop.call('POST', `/api/orders/${placed.id}/cancel`, { token })
  await waiting(1, cancelling)
  await leaving.commit()
  expect((await cancelling).body.code).toBe('order-shipped')
  expect((await sandbox.heldCents()).get(`order-${placed.id}`)).toBe(placed.totalCents)
})
