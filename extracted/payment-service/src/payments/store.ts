import { append } from '@banyan/kit/outbox'
import { requireOwner } from '@banyan/kit/ownership'
import { isRefused } from '@banyan/kit/service'
import type { Knex } from 'knex'
import type { PaymentState, PaymentStatus } from './payment.ts'
import { unclear } from './provider.ts'
import { CONTEXT, SIDE } from './side.ts'

export type PaymentRow = {
  id: number
  order_id: number
  user_id: number
  amount_cents: number
  refunded_cents: number
  status: PaymentStatus
  provider_ref: string | null
  created_at: Date
  updated_at: Date
}

/** As clients see it. */
export const toPayment = (row: PaymentRow) => ({
  id: row.id,
  orderId: row.order_id,
  status: row.status,
  amountCents: row.amount_cents,
  refundedCents: row.refunded_cents,
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
})

export const stateOf = (row: PaymentRow): PaymentState => ({
  status: row.status,
  amountCents: row.amount_cents,
  refundedCents: row.refunded_cents,
})

/** Runs a write of the payments context; refused unless this side owns it. */
export const writePayments = <T>(db: Knex, work: (trx: Knex.Transaction) => Promise<T>): Promise<T> =>
  db.transaction(async (trx) => {
    await requireOwner(trx, CONTEXT, SIDE)
    return work(trx)
  })

/**
 * Runs the write that notes what the provider has answered. If payments move in between it is refused like any other
 * write, but a refusal says that nothing was done, and the provider may have done it: to the caller it is unclear.
 */
export const noteAnswer = <T>(db: Knex, work: (trx: Knex.Transaction) => Promise<T>): Promise<T> =>
  writePayments(db, work).catch((error) => {
    throw isRefused(error) ? unclear(error) : error
  })

/** The order's payment, locked; made from `fresh` when there is none. */
export const lockPayment = async (
  trx: Knex.Transaction,
  order: { orderId: number; userId: number },
  fresh: PaymentState,
): Promise<PaymentRow> => {
  await trx('payments')
    .insert({ order_id: order.orderId, user_id: order.userId, amount_cents: fresh.amountCents, status: fresh.status })
    .onConflict('order_id')
    .ignore()
  const row = await trx<PaymentRow>('payments').where({ order_id: order.orderId }).forUpdate().first()
  return row as PaymentRow
}

/**
 * Stores a state of a locked payment; appends the event that it means, once, when the state is a new one.
 *
 * @returns the row as it is then
 */
export const savePayment = async (
  trx: Knex.Transaction,
  row: PaymentRow,
  next: PaymentState,
  more: { providerRef?: string } = {},
): Promise<PaymentRow> => {
  if (next.status === row.status && next.refundedCents === row.refunded_cents) return row
  const [saved] = await trx<PaymentRow>('payments')
    .where({ id: row.id })
    .update({
      status: next.status,
      refunded_cents: next.refundedCents,
      provider_ref: more.providerRef ?? row.provider_ref,
      updated_at: trx.fn.now() as never,
    })
    .returning('*')
  const event = { context: CONTEXT, stream: `payment-${row.order_id}`, version: 1 }
  const subject = { paymentId: row.id, orderId: row.order_id, userId: row.user_id }
  // Also of a charge that was found out only when it was cancelled: what is given back was taken before.
  if (row.status === 'pending' && (next.status === 'captured' || next.status === 'refunded'))
    await append(trx, { ...event, type: 'PaymentCaptured', payload: { ...subject, amountCents: row.amount_cents } })
  const refundedCents = next.refundedCents - row.refunded_cents
  if (refundedCents > 0)
    await append(trx, { ...event, type: 'PaymentRefunded', payload: { ...subject, amountCents: refundedCents } })
  return saved as PaymentRow
}
