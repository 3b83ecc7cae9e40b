import { randomInt, randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { World } from '../suite.ts'

const OPERATIONS = ['listPayments', 'getPayment', 'refundPayment']

/** What customers and administrators see of payments. Needs a payment provider, and the internal routes to charge by. */
export function paymentsContract(world: () => World): void {
  describe('payments', () => {
    const orderId = 2 ** 51 + randomInt(2 ** 40)
    let id = 0
    const refund = (body: unknown, { key = randomUUID() as string, token = world().adminToken, path = { id } } = {}) =>
      world().client.call('refundPayment', { token, path, headers: { 'idempotency-key': key }, body })

    it('lists one’s own, newest first', async () => {
      const { client, serviceToken, customerToken: token } = world()
      for (const order of [orderId, orderId + 1]) {
        const body = { orderId: order, userId: subjectOf(token), amountCents: 1_000, token: 'tok_visa' }
        await client.call('charge', { token: serviceToken, body })
      }
      const { body } = await client.call('listPayments', { token, query: { page: 1, size: 2 } })
      expect(body.items.map((one: { orderId: number }) => one.orderId)).toEqual([orderId + 1, orderId])
      const { body: found } = await client.call('listPayments', { token, query: { orderId } })
      expect(found).toMatchObject({ total: 1, items: [{ orderId, status: 'captured', amountCents: 1_000 }] })
      id = found.items[0].id
      expect((await client.call('getPayment', { token, path: { id } })).body).toEqual(found.items[0])
    })

    it('gives back in parts, once a key, and never more than was paid', async () => {
      const part = { amountCents: 400, reason: 'damaged' }
      const first = await refund(part, { key: `part-${orderId}` })
      expect(first.body).toMatchObject({ paymentId: id, ...part, status: 'done' })
      expect((await refund(part, { key: `part-${orderId}` })).body).toEqual(first.body)
      const other = { ...part, amountCents: 401 }
      expect((await refund(other, { key: `part-${orderId}` })).body.code).toBe('idempotency-key-reused')
      expect((await refund({ ...part, amountCents: 601 })).body).toMatchObject({
        code: 'refund-too-large',
        leftCents: 600,
      })
      expect((await refund({ reason: 'the rest' })).body).toMatchObject({ amountCents: 600, status: 'done' })
      const { client, customerToken: token } = world()
      const { body } = await client.call('getPayment', { token, path: { id } })
      expect(body).toMatchObject({ status: 'refunded', refundedCents: 1_000 })
    })

    it('shows and gives nothing that is not there, or not whole', async () => {
      const { client, customerToken: token, adminToken } = world()
      expect((await client.call('getPayment', { token, path: { id: 2 ** 52 } })).body.code).toBe('payment-not-found')
      expect((await client.call('getPayment', { token, path: { id: 'x' } })).status).toBe(422)
      expect((await client.call('listPayments', { token, query: { size: 1_000 } })).status).toBe(422)
      expect((await refund({ reason: 'x' }, { path: { id: 2 ** 52 } })).status).toBe(404)
      for (const body of [{}, { reason: ' ' }, { reason: 'x', amountCents: 0 }, { reason: 'x', colour: 'red' }])
        expect((await refund(body)).body.code).toBe('invalid-request')
      expect((await refund('{')).body.code).toBe('malformed-json')
      expect((await refund(JSON.stringify('x'.repeat(200_000)))).body.code).toBe('body-too-large')
      const keyless = { token: adminToken, path: { id }, body: { reason: 'x' } }
      expect((await client.call('refundPayment', keyless)).body.code).toBe('idempotency-key-required')
    })

    it('asks who it is first, and gives back for administrators alone', async () => {
      const { client, customerToken } = world()
      expect((await client.call('listPayments')).status).toBe(401)
      expect((await client.call('getPayment', { path: { id } })).status).toBe(401)
      expect((await client.call('refundPayment', { path: { id }, body: { reason: 'x' } })).status).toBe(401)
      expect((await refund({ reason: 'x' }, { token: customerToken })).status).toBe(403)
    })

    it('has given every documented answer', () => {
      expect(world().client.unseen(OPERATIONS, ['421', '503'])).toEqual([])
    })
  })
}

const subjectOf = (token: string): number =>
  Number(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sub)
