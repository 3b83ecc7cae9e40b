import { append } from '@banyan/kit/outbox'
import type { Knex } from 'knex'
import type { Order } from './order.ts'
import { CONTEXT } from './side.ts'

// Each is appended while the transaction holds the order's row: within the stream, ids follow commit order.
// Every OrderPlaced is followed by one OrderConfirmed or one OrderCancelled; a confirmed order may yet be cancelled.

const about = (order: Order) => ({
  orderId: order.id,
  userId: order.userId,
  customer: order.customer,
  totalCents: order.totalCents,
  items: order.items,
})

const emit = (trx: Knex.Transaction, order: Order, type: string, more: object) =>
  append(trx, {
    context: CONTEXT,
    stream: `order-${order.id}`,
    type,
    version: 1,
    payload: { ...about(order), ...more },
  })

/** The order stands, its goods are set aside; the money is still to come. */
export const orderPlaced = (trx: Knex.Transaction, order: Order) => emit(trx, order, 'OrderPlaced', {})

/** The order is paid and its goods are sold to it. */
export const orderConfirmed = (trx: Knex.Transaction, order: Order) =>
  emit(trx, order, 'OrderConfirmed', { shippingAddress: order.shippingAddress })

/** Whatever was taken for the order, money or goods, is given back. */
export const orderCancelled = (trx: Knex.Transaction, order: Order, reason: string) =>
  emit(trx, order, 'OrderCancelled', { reason })
