import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestVhost } from '../../tests/support/infra.ts'
import { startTestShop, type TestShop } from './testing/shop.ts'

let shop: TestShop
let vhost: Awaited<ReturnType<typeof createTestVhost>>
beforeAll(async () => {
  vhost = await createTestVhost()
  shop = await startTestShop({ AMQP_URL: vhost.url })
})
afterAll(async () => {
  await shop?.close()
  await vhost?.drop()
})

it('every event leaves the outbox, whether or not anybody listens for its type', async () => {
  const { body: page } = await shop.call('GET', '/api/products?size=1')
  const lines = [{ productId: page.items[0].id, quantity: 1 }]
  await shop.customer()
  await shop.internal('POST', '/internal/reservations', { orderId: 900, lines })
  await shop.internal('POST', '/internal/reservations/900/release')
  const waiting = async () => {
    const { rows } = await shop.db.raw('select type from banyan.outbox where published_at is null order by id')
    return rows.map((row: { type: string }) => row.type)
  }
  await expect.poll(waiting, { timeout: 20_000 }).toEqual([])
  const { rows } = await shop.db.raw('select distinct type from banyan.outbox order by type')
  const types = rows.map((row: { type: string }) => row.type)
  expect(types).toEqual(expect.arrayContaining(['StockReleased', 'StockReserved', 'UserRegistered']))
})
