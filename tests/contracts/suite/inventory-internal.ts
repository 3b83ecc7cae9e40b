import { randomBytes, randomInt } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { World } from '../suite.ts'

const OPERATIONS = ['reserve', 'getReservation', 'confirmReservation', 'releaseReservation', 'lookupProducts']

/** What the other contexts ask of inventory: a reservation from its beginning to each of its ends. */
export function inventoryInternalContract(world: () => World): void {
  describe('inventory, for other services', () => {
    // Far above any id that orders reach, so that the suite can run beside real ones.
    const orderId = 2 ** 50 + randomInt(2 ** 40)
    let productId = 0
    const call = (operation: string, input: object = {}) => {
      const { client, serviceToken } = world()
      return client.call(operation, { token: serviceToken, ...input })
    }
    const reserve = (id: number, quantity: number) =>
      call('reserve', { body: { orderId: id, lines: [{ productId, quantity }] } })
    const path = (id: number | string) => ({ path: { orderId: id } })

    it('looks products up by id', async () => {
      const { client, adminToken: token } = world()
      const { body: page } = await client.call('listCategories')
      const sku = `INT-${randomBytes(6).toString('hex').toUpperCase()}`
      const body = { sku, name: 'Reserved Teapot', category: page.items[0].slug, priceCents: 990, available: 5 }
      productId = (await client.call('createProduct', { token, body })).body.id
      const found = await call('lookupProducts', { body: { ids: [productId, 2 ** 52] } })
      expect(found.body.items).toEqual([{ id: productId, sku, name: 'Reserved Teapot', priceCents: 990, available: 5 }])
      expect((await call('lookupProducts', { body: { ids: [] } })).body.code).toBe('invalid-request')
    })

    it('reserves, the same however often it is asked, and never what is not there', async () => {
      const first = await reserve(orderId, 3)
      expect(first.body).toMatchObject({ orderId, status: 'held', lines: [{ productId, quantity: 3 }] })
      expect((await reserve(orderId, 3)).body).toEqual(first.body)
      expect((await reserve(orderId, 2)).body.code).toBe('reservation-differs')
      const short = await reserve(orderId + 1, 3)
      expect(short.body).toMatchObject({
        code: 'out-of-stock',
        lines: [{ productId, requested: 3, available: 2 }],
      })
      const unknown = { body: { orderId: orderId + 1, lines: [{ productId: 2 ** 52, quantity: 1 }] } }
      expect((await call('reserve', unknown)).body).toMatchObject({ code: 'unknown-product', productIds: [2 ** 52] })
      expect((await call('reserve', { body: { orderId, lines: [] } })).body.code).toBe('invalid-request')
    })

    it('confirms, and keeps what was ordered in the catalogue', async () => {
      expect((await call('confirmReservation', path(orderId))).body.status).toBe('confirmed')
      expect((await call('getReservation', path(orderId))).body.status).toBe('confirmed')
      expect((await call('confirmReservation', path(orderId + 1))).body.code).toBe('reservation-not-found')
      expect((await call('getReservation', path(orderId + 1))).body.code).toBe('reservation-not-found')
      const { client, adminToken: token } = world()
      const kept = await client.call('deleteProduct', { token, path: { id: productId } })
      expect(kept.body.code).toBe('product-in-use')
    })

    it('releases, for good, even before it was reserved', async () => {
      expect((await call('releaseReservation', path(orderId))).body.status).toBe('released')
      expect((await call('confirmReservation', path(orderId))).body.code).toBe('reservation-ended')
      expect((await call('releaseReservation', path(orderId + 2))).body).toMatchObject({
        status: 'released',
        lines: [],
      })
      expect((await reserve(orderId + 2, 1)).body.code).toBe('reservation-ended')
      const { body } = await call('lookupProducts', { body: { ids: [productId] } })
      expect(body.items[0].available).toBe(5)
    })

    it.each(['getReservation', 'confirmReservation', 'releaseReservation'])(
      '%s asks for a number',
      async (operation) => {
        expect((await call(operation, path('first'))).body.code).toBe('invalid-request')
      },
    )

    it.each(['reserve', 'lookupProducts'])('%s refuses what is no JSON, or too much', async (operation) => {
      expect((await call(operation, { body: '{' })).body.code).toBe('malformed-json')
      expect((await call(operation, { body: JSON.stringify('x'.repeat(200_000)) })).body.code).toBe('body-too-large')
    })

    it.each(OPERATIONS)('%s is for services, not for people', async (operation) => {
      const { client, adminToken } = world()
      const input = path(orderId)
      expect((await client.call(operation, input)).body.code).toBe('internal-token-required')
      expect((await client.call(operation, { ...input, token: adminToken })).body.code).toBe('invalid-token')
    })

    it('has given every documented answer', () => {
      expect(world().client.unseen(OPERATIONS, ['421', '503'])).toEqual([])
    })
  })
}
