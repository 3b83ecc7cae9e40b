import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestShop, type TestShop } from '../testing/shop.ts'
import { orderHandlers } from './consumer.ts'
import type { OrderStatus } from './order.ts'

type Heard = Parameters<(typeof orderHandlers)[string]>[1]

let shop: TestShop
beforeAll(async () => {
  shop = await startTestShop()
})
afterAll(() => shop?.close())

const ends: [OrderStatus, OrderStatus][] = [
  ['confirmed', 'shipped'],
  ['shipped', 'shipped'],
  ['cancelling', 'cancelling'],
  ['cancelled', 'cancelled'],
]
it.each(ends)('an order that is %s when its parcel leaves is %s then', async (before, after) => {
  const texts = { idempotency_key: before, request_hash: '-', customer: '{}', shipping_address: '{}' }
  const [order] = await shop
    .db('orders')
    .insert({ user_id: 1, total_cents: 1, status: before, ...texts })
    .returning('id')
  const event = { type: 'ShipmentDispatched', payload: { orderId: order.id } } as unknown as Heard
  await shop.db.transaction((trx) => orderHandlers.ShipmentDispatched!(trx, event))
  expect((await shop.db('orders').where({ id: order.id }).first('status')).status).toBe(after)
})
