import { describe, expect, it } from 'vitest'
import type { World } from '../suite.ts'
import { ordersOfNobody, tellingIn, userOf } from './subscribers.ts'

/** Letters, as they follow from events; the same event makes one. Needs a broker behind the process. */
export function notificationsContract(world: () => World): void {
  describe('notifications', () => {
    const [first, second, others, own] = ordersOfNobody()
    const list = (query: object = {}) =>
      world().client.call('listNotifications', { token: world().customerToken, query: { ...query } })

    it('asks who it is first', async () => {
      expect((await world().client.call('listNotifications')).status).toBe(401)
    })

    it('writes one letter an event, however often it hears of it', async () => {
      const { tell, userId } = tellingIn(world())
      const id = await tell({ type: 'OrderPlaced', orderId: first, userId })
      for (const type of ['ShipmentDispatched', 'OrderCancelled'] as const) await tell({ type, orderId: first, userId })
      await tell({ id, type: 'OrderPlaced', orderId: first, userId })
      // Heard after everything above: when its letter is there, a second one of the first would be, too.
      await tell({ type: 'OrderPlaced', orderId: second, userId })
      await expect.poll(async () => (await list()).body.total, { timeout: 20_000 }).toBeGreaterThan(3)
      const { items } = (await list({ size: 100 })).body
      expect(items.map(({ type }: { type: string }) => type).sort()).toEqual([
        'OrderCancelled',
        'OrderPlaced',
        'OrderPlaced',
        'ShipmentDispatched',
      ])
    })

    it('shows each customer their own, in pages', async () => {
      const { tell, userId } = tellingIn(world())
      const before = (await list()).body.total
      await tell({ type: 'OrderPlaced', orderId: others, userId: userId + 1 })
      await tell({ type: 'OrderPlaced', orderId: own, userId })
      await expect.poll(async () => (await list()).body.total, { timeout: 20_000 }).toBe(before + 1)
      expect((await list({ page: 2, size: 1 })).body).toMatchObject({ page: 2, size: 1, total: before + 1 })
      expect((await list({ size: 1_000 })).status).toBe(422)
      expect(userOf(world().customerToken)).toBe(userId)
    })

    it('has answered in each documented way', () => {
      expect(world().client.unseen(['listNotifications'], [])).toEqual([])
    })
  })
}
