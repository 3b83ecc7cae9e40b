import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { World } from '../suite.ts'

const OPERATIONS = {
  orders: ['getCart', 'setCartItem', 'removeCartItem', 'listOrders', 'placeOrder', 'getOrder', 'cancelOrder'],
  payments: ['listPayments', 'getPayment', 'refundPayment'],
  letters: ['getShipment', 'listNotifications'],
}

// 421 and 503 are the tests of ownership's; what depends on the speed of a provider or a carrier is the monolith's own.
const ELSEWHERE = ['421', '503', 'placeOrder 202', 'cancelOrder 202', 'cancelOrder 409']

const shippingAddress = { name: 'Ada', line1: 'Main 1', postalCode: '10115', city: 'Berlin', country: 'DE' }

/** From the cart to the letter, with the money in between. Needs a payment provider and a broker behind the process. */
export function ordersContract(world: () => World): void {
  describe('orders', () => {
    const key = () => ({ 'idempotency-key': randomUUID() })
    let product = 0
    let orderId = 0
    let paymentId = 0
    const order = (change: object = {}) => ({
      items: [{ productId: product, quantity: 1 }],
      paymentToken: 'tok_visa',
      shippingAddress,
      ...change,
    })
    /** As its client does: asks again while the order is on its way, which on a slow machine it may be. */
    const settled = async (operation: string, input: object) => {
      const { client, customerToken: token } = world()
      for (;;) {
        const answer = await client.call(operation, { token, ...input })
        if (answer.status !== 202) return answer
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
    const place = (body: object, headers = key()) => settled('placeOrder', { headers, body })

    it('asks who it is first', async () => {
      const { client } = world()
      const body = { quantity: 1 }
      expect((await client.call('getCart')).status).toBe(401)
      expect((await client.call('setCartItem', { path: { productId: 1 }, body })).status).toBe(401)
      expect((await client.call('removeCartItem', { path: { productId: 1 } })).status).toBe(401)
      expect((await client.call('placeOrder', { headers: key(), body: order({ items: undefined }) })).status).toBe(401)
      for (const id of ['listOrders', 'listPayments', 'listNotifications'])
        expect((await client.call(id)).status).toBe(401)
      for (const id of ['getOrder', 'cancelOrder', 'getPayment', 'getShipment'])
        expect((await client.call(id, { path: { id: 1 } })).status).toBe(401)
      const refund = { path: { id: 1 }, headers: key(), body: { reason: 'x' } }
      expect((await client.call('refundPayment', refund)).status).toBe(401)
    })

    it('fills a cart and takes out again', async () => {
      const { client, customerToken: token } = world()
      const { body: found } = await client.call('listProducts', { query: { size: 1 } })
      product = found.items[0].id
      const path = { productId: product }
      const filled = await client.call('setCartItem', { token, path, body: { quantity: 2 } })
      expect(filled.body.totalCents).toBe(2 * filled.body.items[0].priceCents)
      expect((await client.call('removeCartItem', { token, path })).status).toBe(204)
      expect((await client.call('getCart', { token })).body).toEqual({ items: [], totalCents: 0 })
    })

    it('refuses what cannot be in a cart', async () => {
      const { client, customerToken: token } = world()
      const path = { productId: product }
      const unknown = { token, path: { productId: 999_999_999 }, body: { quantity: 1 } }
      expect((await client.call('setCartItem', unknown)).body.code).toBe('product-not-found')
      for (const body of [{ quantity: 0 }, { quantity: 1.5 }, {}, { quantity: 1, colour: 'red' }])
        expect((await client.call('setCartItem', { token, path, body })).status).toBe(422)
      expect((await client.call('setCartItem', { token, path, body: '{' })).status).toBe(400)
      expect((await client.call('setCartItem', { token, path, body: JSON.stringify('x'.repeat(2e5)) })).status).toBe(
        413,
      )
      expect((await client.call('removeCartItem', { token, path: { productId: 'x' } })).status).toBe(422)
    })

    it('places an order once a key', async () => {
      const { client, customerToken: token } = world()
      const headers = key()
      const placed = await place(order(), headers)
      expect(placed).toMatchObject({ status: 201, body: { status: 'confirmed' } })
      orderId = placed.body.id
      const again = await client.call('placeOrder', { token, headers, body: order() })
      expect(again).toMatchObject({ status: 201, body: placed.body })
      const other = order({ paymentToken: 'tok_flaky' })
      expect((await client.call('placeOrder', { token, headers, body: other })).body.code).toBe(
        'idempotency-key-reused',
      )
      expect((await client.call('getOrder', { token, path: { id: orderId } })).body.id).toBe(orderId)
      expect((await client.call('listOrders', { token, query: { page: 1, size: 5 } })).body.total).toBe(1)
    })

    it('refuses an order with the reason', async () => {
      const { client, customerToken: token } = world()
      const refused = async (change: object) => (await place(order(change))).body.code
      expect(await refused({ paymentToken: 'tok_declined' })).toBe('payment-declined')
      const many = Array.from({ length: 1 }, () => ({ productId: product, quantity: 1_000 }))
      expect(await refused({ items: many })).toBe('out-of-stock')
      expect(await refused({ items: undefined })).toBe('cart-empty')
      expect(await refused({ items: [{ productId: 999_999_999, quantity: 1 }] })).toBe('unknown-product')
      for (const change of [{ items: [] }, { paymentToken: 'cash' }, { shippingAddress: {} }, { coupon: 'x' }])
        expect(await refused(change)).toBe('invalid-request')
      expect((await client.call('placeOrder', { token, body: order() })).body.code).toBe('idempotency-key-required')
      expect((await client.call('placeOrder', { token, headers: key(), body: '[' })).status).toBe(400)
      const large = JSON.stringify('x'.repeat(200_000))
      expect((await client.call('placeOrder', { token, headers: key(), body: large })).status).toBe(413)
    })

    it('shows what was paid, and gives some of it back', async () => {
      const { client, customerToken: token, adminToken } = world()
      const { body } = await client.call('listPayments', { token, query: { orderId } })
      paymentId = body.items[0].id
      const path = { id: paymentId }
      expect((await client.call('getPayment', { token, path })).body.status).toBe('captured')
      const refund = async (change: object, as = adminToken) =>
        client.call('refundPayment', { token: as, path, headers: key(), body: { reason: 'damaged', ...change } })
      expect((await refund({ amountCents: 1 })).body).toMatchObject({ amountCents: 1, status: 'done' })
      expect((await refund({ amountCents: 90_000_000 })).body.code).toBe('refund-too-large')
      expect((await refund({ amountCents: 0 })).status).toBe(422)
      expect((await refund({}, token)).status).toBe(403)
      const input = { token: adminToken, headers: key(), body: { reason: 'x' } }
      expect((await client.call('refundPayment', { ...input, path: { id: 999_999_999 } })).status).toBe(404)
      expect((await client.call('refundPayment', { ...input, path, body: '{' as never })).status).toBe(400)
      const large = JSON.stringify('x'.repeat(200_000)) as never
      expect((await client.call('refundPayment', { ...input, path, body: large })).status).toBe(413)
    })

    it('takes an order back, and answers alike when that is done', async () => {
      const placed = await place(order())
      const path = { id: placed.body.id }
      expect((await settled('cancelOrder', { path })).body.status).toBe('cancelled')
      expect((await settled('cancelOrder', { path })).body.status).toBe('cancelled')
    })

    it('has a shipment and letters for it a little later', async () => {
      const { client, customerToken: token } = world()
      const end = Date.now() + 30_000
      for (;;) {
        const shipment = await client.call('getShipment', { token, path: { id: orderId } })
        const letters = await client.call('listNotifications', { token })
        if (shipment.status === 200 && letters.body.total > 0) break
        if (Date.now() > end) throw new Error('no shipment or no letter within 30 s')
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    })

    it('knows only what is there, and is one’s own', async () => {
      const { client, customerToken: token } = world()
      for (const id of ['getOrder', 'cancelOrder', 'getPayment', 'getShipment']) {
        expect((await client.call(id, { token, path: { id: 999_999_999 } })).status).toBe(404)
        expect((await client.call(id, { token, path: { id: 'x' } })).status).toBe(422)
      }
      for (const id of ['listOrders', 'listPayments', 'listNotifications'])
        expect((await client.call(id, { token, query: { size: 1_000 } })).status).toBe(422)
    })

    it('has answered in each documented way', () => {
      expect(world().client.unseen(Object.values(OPERATIONS).flat(), ELSEWHERE)).toEqual([])
    })
  })
}
