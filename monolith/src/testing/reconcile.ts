import type { Knex } from 'knex'
import { expect } from 'vitest'
import type { Sandbox } from './sandbox.ts'

type Row = { id: number; status: string; total_cents: number }

/**
 * Compares the shop's books with the provider's ledger and with the stock: every confirmed order is paid once and
 * sold, every cancelled one holds neither money nor goods, nothing is on its way any more.
 * @param payments where payments are, if they have left
 * @param ordersDb where orders are, likewise
 */
export async function reconcile(db: Knex, sandbox: Sandbox, payments = db, ordersDb = db): Promise<void> {
  const orders: Row[] = await ordersDb('orders').select('id', 'status', 'total_cents').orderBy('id')
  const refunded = new Map<number, number>(
    (await payments('payments').select('order_id', 'refunded_cents')).map((row) => [row.order_id, row.refunded_cents]),
  )
  const held = await sandbox.heldCents()
  const money = orders.map(({ id }) => ({ id, cents: held.get(`order-${id}`) ?? 0 }))
  expect(money).toEqual(
    orders.map(({ id, status, total_cents }) => ({
      id,
      cents: ['confirmed', 'shipped'].includes(status) ? total_cents - (refunded.get(id) ?? 0) : 0,
    })),
  )
  expect([...held.keys()].filter((key) => !orders.some(({ id }) => key === `order-${id}`))).toEqual([])
  const charges = (await sandbox.ledger()).filter((entry) => entry.kind === 'charge').map((entry) => entry.key)
  expect(charges.length).toBe(new Set(charges).size)

  const books: { amount_cents: number; refunded_cents: number; order_id: number }[] = await payments(
    'payments',
  ).whereIn('status', ['captured', 'refunded'])
  for (const row of books)
    expect([row.order_id, held.get(`order-${row.order_id}`)]).toEqual([
      row.order_id,
      row.amount_cents - row.refunded_cents,
    ])

  const reservations: { order_id: number; status: string }[] = await db('reservations').orderBy('order_id')
  for (const { order_id, status } of reservations) {
    const order = orders.find(({ id }) => id === order_id)
    expect([order_id, status]).toEqual([
      order_id,
      ['confirmed', 'shipped'].includes(order?.status ?? '') ? 'confirmed' : 'released',
    ])
  }
  expect(
    await ordersDb('sagas').whereIn('status', ['RUNNING', 'COMPENSATING', 'NEEDS_ATTENTION']).select('id'),
  ).toEqual([])
  expect(await db('stock').where('reserved', '>', 0).select('product_id')).toEqual([])
}
