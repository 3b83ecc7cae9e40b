import { describe, expect, it } from 'vitest'
import type { World } from '../suite.ts'
import { ordersOfNobody, tellingIn } from './subscribers.ts'

/** Shipments, as they follow from orders. Needs a broker behind the process, and a carrier that is quick. */
export function shippingContract(world: () => World): void {
  describe('shipping', () => {
    const [shipped, stopped, later, late, others, own] = ordersOfNobody()
    const shipment = async (orderId: number | string) =>
      await world().client.call('getShipment', { token: world().customerToken, path: { id: orderId } })
    const becomes = (orderId: number, status: string) =>
      expect.poll(async () => (await shipment(orderId)).body.status, { timeout: 20_000 }).toBe(status)

    it('asks who it is first', async () => {
      expect((await world().client.call('getShipment', { path: { id: 1 } })).status).toBe(401)
    })

    it('packs a confirmed order, and hands it to the carrier', async () => {
      const { tell, userId } = tellingIn(world())
      await tell({ type: 'OrderConfirmed', orderId: shipped, userId })
      await becomes(shipped, 'dispatched')
      const { events } = (await shipment(shipped)).body
      expect(events.map(({ type }: { type: string }) => type)).toEqual(['prepared', 'dispatched'])
    })

    it('does not ship what was cancelled, even if that is heard first', async () => {
      const { tell, userId } = tellingIn(world())
      await tell({ type: 'OrderCancelled', orderId: stopped, userId })
      await becomes(stopped, 'cancelled')
      await tell({ type: 'OrderConfirmed', orderId: stopped, userId })
      await tell({ type: 'OrderConfirmed', orderId: later, userId })
      await becomes(later, 'dispatched')
      expect((await shipment(stopped)).body).toMatchObject({ status: 'cancelled', trackingCode: null })
    })

    it('keeps on its way what is on its way', async () => {
      const { tell, userId } = tellingIn(world())
      await tell({ type: 'OrderCancelled', orderId: shipped, userId })
      await tell({ type: 'OrderCancelled', orderId: late, userId })
      await becomes(late, 'cancelled')
      expect((await shipment(shipped)).body.status).toBe('dispatched')
    })

    it('shows customers only their own', async () => {
      const { tell, userId } = tellingIn(world())
      await tell({ type: 'OrderConfirmed', orderId: others, userId: userId + 1 })
      await tell({ type: 'OrderConfirmed', orderId: own, userId })
      await becomes(own, 'dispatched')
      for (const id of [others, 999_999_999]) expect((await shipment(id)).body.code).toBe('shipment-not-found')
      expect((await shipment('x')).status).toBe(422)
    })

    it('has answered in each documented way', () => {
      expect(world().client.unseen(['getShipment'], [])).toEqual([])
    })
  })
}
