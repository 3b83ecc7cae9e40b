import { randomInt } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { World } from '../suite.ts'

const OPERATIONS = ['charge', 'cancelCharge']

/** What orders ask of payments: a charge to each of its ends. Needs a payment provider behind the process. */
export function paymentsInternalContract(world: () => World): void {
  describe('payments, for other services', () => {
    // Far above any id that orders reach, so that the suite can run beside real ones.
    const orderId = 2 ** 50 + randomInt(2 ** 40)
    const call = (operation: string, input: object) => {
      const { client, serviceToken } = world()
      return client.call(operation, { token: serviceToken, ...input })
    }
    const charge = (id: number, change: object = {}) =>
      call('charge', { body: { orderId: id, userId: 7, amountCents: 990, token: 'tok_visa', ...change } })
    const cancel = (id: number | string, body: unknown = { userId: 7 }) =>
      call('cancelCharge', { path: { orderId: id }, body })

    it('charges, the same however often it is asked, and never another amount', async () => {
      const first = await charge(orderId)
      expect(first.body).toMatchObject({ orderId, status: 'captured', amountCents: 990, refundedCents: 0 })
      expect((await charge(orderId)).body).toEqual(first.body)
      expect((await charge(orderId, { amountCents: 991 })).body.code).toBe('charge-differs')
    })

    it('gives all of it back, for good, even before it was taken', async () => {
      const refunded = { status: 'refunded', amountCents: 990, refundedCents: 990 }
      expect((await cancel(orderId)).body).toMatchObject(refunded)
      expect((await cancel(orderId)).body).toMatchObject(refunded)
      expect((await charge(orderId)).body.code).toBe('payment-cancelled')
      expect((await cancel(orderId + 1)).body).toMatchObject({ status: 'voided', amountCents: 0 })
      expect((await charge(orderId + 1)).body.code).toBe('payment-cancelled')
    })

    it('declines, for good', async () => {
      expect((await charge(orderId + 2, { token: 'tok_declined' })).body.code).toBe('payment-declined')
      expect((await charge(orderId + 2)).body.code).toBe('payment-declined')
      expect((await cancel(orderId + 2)).body.status).toBe('declined')
    })

    it('says when the outcome is not known yet; the same question finds it out, or a cancellation ends it', async () => {
      const unclear = { status: 504, body: { code: 'payment-unclear' } }
      expect(await charge(orderId + 3, { token: 'tok_timeout' })).toMatchObject(unclear)
      expect((await charge(orderId + 3, { token: 'tok_visa' })).body.code).toBe('charge-differs')
      expect((await charge(orderId + 3, { token: 'tok_timeout' })).body.status).toBe('captured')
      expect(await charge(orderId + 4, { token: 'tok_timeout' })).toMatchObject(unclear)
      expect((await cancel(orderId + 4)).body).toMatchObject({ status: 'refunded', refundedCents: 990 })
    })

    it('takes nothing that is not whole', async () => {
      for (const change of [
        { amountCents: 0 },
        { amountCents: 1.5 },
        { token: 'cash' },
        { userId: 0 },
        { colour: 'red' },
      ])
        expect((await charge(orderId + 5, change)).body.code).toBe('invalid-request')
      expect((await cancel('first')).body.code).toBe('invalid-request')
      expect((await cancel(orderId + 5, {})).body.code).toBe('invalid-request')
      for (const [operation, path] of [['charge', {}] as const, ['cancelCharge', { orderId }] as const]) {
        expect((await call(operation, { path, body: '{' })).body.code).toBe('malformed-json')
        expect((await call(operation, { path, body: JSON.stringify('x'.repeat(200_000)) })).body.code).toBe(
          'body-too-large',
        )
      }
    })

    it.each(OPERATIONS)('%s is for services, not for people', async (operation) => {
      const { client, adminToken } = world()
      const body = operation === 'charge' ? { orderId, userId: 7, amountCents: 990, token: 'tok_visa' } : { userId: 7 }
      const input = { path: { orderId }, body }
      expect((await client.call(operation, input)).body.code).toBe('internal-token-required')
      expect((await client.call(operation, { ...input, token: adminToken })).body.code).toBe('invalid-token')
    })

    it('has given every documented answer', () => {
      expect(world().client.unseen(OPERATIONS, ['421', '503', 'cancelCharge 504'])).toEqual([])
    })
  })
}
