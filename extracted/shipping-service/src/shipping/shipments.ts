import { randomBytes } from 'node:crypto'
import { append } from '@banyan/kit/outbox'
import { ownerOf } from '@banyan/kit/ownership'
import { problem } from '@banyan/kit/service'
import type { Knex } from 'knex'
import type { Confirmed } from './events.ts'
import { CONTEXT, SIDE } from './side.ts'

type ShipmentRow = {
  id: number
  order_id: number
  user_id: number
  status: 'preparing' | 'dispatched' | 'cancelled'
  customer: { name: string; email: string } | null
  address: object | null
  tracking_code: string | null
  created_at: Date
}

/** @throws Problem 404 shipment-not-found, also while the order is not confirmed */
export const getShipment = async (db: Knex, orderId: number, userId: number) => {
  const row = await db<ShipmentRow>('shipments').where({ order_id: orderId, user_id: userId }).first()
  if (!row) throw problem(404, 'shipment-not-found', `there is no shipment of order ${orderId} yet`)
  const events = await db('shipment_events').where({ shipment_id: row.id }).orderBy('id')
  return {
    id: row.id,
    orderId: row.order_id,
    status: row.status,
    trackingCode: row.tracking_code,
    address: row.address,
    events: events.map(({ type, at }) => ({ type, at: at.toISOString() })),
    createdAt: row.created_at.toISOString(),
  }
}

/** Prepares the shipment of a confirmed order, unless there is one, or the order's cancellation came first. */
export const prepare = async (trx: Knex.Transaction, order: Confirmed, afterMs: number): Promise<void> => {
  const { rows } = await trx.raw<{ rows: { id: number }[] }>(
    `insert into shipments (order_id, user_id, status, customer, address, dispatch_after)
     values (?, ?, 'preparing', ?::jsonb, ?::jsonb, now() + make_interval(secs => ?))
     on conflict (order_id) do nothing returning id`,
    [
      order.orderId,
      order.userId,
      JSON.stringify(order.customer),
      JSON.stringify(order.shippingAddress),
      afterMs / 1000,
    ],
  )
  if (rows[0]) await note(trx, rows[0].id, 'prepared')
}

/** Stops the shipment of a cancelled order; what is on its way stays on its way. */
export const stop = async (trx: Knex.Transaction, order: { orderId: number; userId: number }): Promise<void> => {
  const { rows } = await trx.raw<{ rows: { id: number }[] }>(
    `insert into shipments (order_id, user_id, status) values (?, ?, 'cancelled')
     on conflict (order_id) do update set status = 'cancelled', updated_at = now()
       where shipments.status = 'preparing' returning id`,
    [order.orderId, order.userId],
  )
  if (rows[0]) await note(trx, rows[0].id, 'cancelled')
}

/** Hands the next shipment that is due to the carrier; none when the other side owns them. */
export const dispatchNext = (db: Knex): Promise<boolean> =>
  db.transaction(async (trx) => {
    if ((await ownerOf(trx, CONTEXT)).owner !== SIDE) return false
    const { rows } = await trx.raw<{ rows: ShipmentRow[] }>(
      `select * from shipments where status = 'preparing' and dispatch_after <= now()
       order by dispatch_after limit 1 for update skip locked`,
    )
    const shipment = rows[0]
    if (!shipment) return false
    const trackingCode = `BN${randomBytes(6).toString('hex').toUpperCase()}`
    await trx('shipments')
      .where({ id: shipment.id })
      .update({ status: 'dispatched', tracking_code: trackingCode, updated_at: trx.fn.now() })
    await note(trx, shipment.id, 'dispatched')
    await append(trx, {
      context: CONTEXT,
      stream: `shipment-${shipment.order_id}`,
      type: 'ShipmentDispatched',
      version: 1,
      payload: {
        shipmentId: shipment.id,
        orderId: shipment.order_id,
        userId: shipment.user_id,
        customer: shipment.customer,
        trackingCode,
      },
    })
    return true
  })

const note = async (trx: Knex.Transaction, shipmentId: number, type: string): Promise<void> => {
  await trx('shipment_events').insert({ shipment_id: shipmentId, type }).onConflict(['shipment_id', 'type']).ignore()
}
