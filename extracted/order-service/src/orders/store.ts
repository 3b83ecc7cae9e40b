import { requireOwner } from '@banyan/kit/ownership'
import { problem } from '@banyan/kit/service'
import type { Knex } from 'knex'
import type { Address } from '../address.ts'
import type { Order, OrderLine, OrderStatus, StoredResponse } from './order.ts'
import type { Customer } from './ports.ts'
import { CONTEXT, SIDE } from './side.ts'

type OrderRow = {
  id: number
  user_id: number
  idempotency_key: string
  request_hash: string
  status: OrderStatus
  total_cents: number
  customer: Customer
  shipping_address: Address
  cancel_reason: string | null
  response: StoredResponse | null
  created_at: Date
  updated_at: Date
}

/** An order, and what of it only its own request needs to know. */
export type Placed = { order: Order; requestHash: string; response: StoredResponse | null }

export type NewOrder = Pick<Order, 'userId' | 'totalCents' | 'items' | 'customer' | 'shippingAddress'> & {
  idempotencyKey: string
  requestHash: string
}

/** Runs a write of the orders context; refused unless this side owns it. */
export const writeOrders = <T>(db: Knex, work: (trx: Knex.Transaction) => Promise<T>): Promise<T> =>
  db.transaction(async (trx) => {
    await requireOwner(trx, CONTEXT, SIDE)
    return work(trx)
  })

/** @returns the new order's id, or undefined when the user's key has an order already */
export const insertOrder = async (trx: Knex.Transaction, order: NewOrder): Promise<number | undefined> => {
  const [row] = await trx('orders')
    .insert({
      user_id: order.userId,
      idempotency_key: order.idempotencyKey,
      request_hash: order.requestHash,
      status: 'pending',
      total_cents: order.totalCents,
      customer: JSON.stringify(order.customer),
      shipping_address: JSON.stringify(order.shippingAddress),
    })
    .onConflict(['user_id', 'idempotency_key'])
    .ignore()
    .returning('id')
  if (!row) return undefined
  await trx('order_items').insert(
    order.items.map((line) => ({
      order_id: row.id,
      product_id: line.productId,
      name: line.name,
      price_cents: line.priceCents,
      quantity: line.quantity,
    })),
  )
  return row.id
}

export const findByKey = async (db: Knex, userId: number, key: string): Promise<Placed | undefined> => {
  const row = await db<OrderRow>('orders').where({ user_id: userId, idempotency_key: key }).first()
  return row && placed(db, row)
}

/** @throws Problem 404 order-not-found, also for an order of somebody else */
export const getOrder = async (db: Knex, id: number, userId?: number): Promise<Placed> => {
  const query = db<OrderRow>('orders').where({ id })
  const row = await (userId === undefined ? query : query.where({ user_id: userId })).first()
  if (!row) throw problem(404, 'order-not-found', `there is no order ${id}`)
  return placed(db, row)
}

/** Locks an order to the end of the transaction. Lock its saga first, as the saga's own steps do. */
export const lockOrder = async (trx: Knex.Transaction, id: number): Promise<Order> => {
  const row = await trx<OrderRow>('orders').where({ id }).forUpdate().first()
  if (!row) throw problem(404, 'order-not-found', `there is no order ${id}`)
  return (await placed(trx, row)).order
}

export const listOrders = async (
  db: Knex,
  userId: number,
  { page, size }: { page: number; size: number },
): Promise<{ items: Order[]; total: number }> => {
  const [count] = await db('orders').where({ user_id: userId }).count('* as total')
  const rows = await db<OrderRow>('orders')
    .where({ user_id: userId })
    .orderBy('id', 'desc')
    .limit(size)
    .offset((page - 1) * size)
  const lines = await linesOf(
    db,
    rows.map((row) => row.id),
  )
  return { items: rows.map((row) => toOrder(row, lines.get(row.id) ?? [])), total: Number(count?.total ?? 0) }
}

/** Stores what changes of an order; `response` is written once, by whatever ended the request that placed it. */
export const updateOrder = async (
  trx: Knex.Transaction,
  id: number,
  change: { status: OrderStatus; cancelReason?: string; response?: StoredResponse },
): Promise<void> => {
  await trx('orders')
    .where({ id })
    .update({
      status: change.status,
      ...(change.cancelReason === undefined ? {} : { cancel_reason: change.cancelReason }),
      ...(change.response === undefined ? {} : { response: JSON.stringify(change.response) }),
      updated_at: trx.fn.now(),
    })
}

const placed = async (db: Knex, row: OrderRow): Promise<Placed> => ({
  order: toOrder(row, (await linesOf(db, [row.id])).get(row.id) ?? []),
  requestHash: row.request_hash,
  response: row.response,
})

const linesOf = async (db: Knex, orderIds: readonly number[]): Promise<Map<number, OrderLine[]>> => {
  const rows = await db('order_items').whereIn('order_id', orderIds).orderBy('order_id').orderBy('product_id')
  const lines = new Map<number, OrderLine[]>()
  for (const row of rows) {
    const line = { productId: row.product_id, name: row.name, priceCents: row.price_cents, quantity: row.quantity }
    lines.set(row.order_id, [...(lines.get(row.order_id) ?? []), line])
  }
  return lines
}

const toOrder = (row: OrderRow, items: OrderLine[]): Order => ({
  id: row.id,
  userId: row.user_id,
  status: row.status,
  totalCents: row.total_cents,
  items,
  customer: row.customer,
  shippingAddress: row.shipping_address,
  cancelReason: row.cancel_reason,
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
})
