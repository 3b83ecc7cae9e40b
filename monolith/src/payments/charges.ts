import { failPoint, problem } from '@banyan/kit/service'
import type { Knex } from 'knex'
import { authorize, cancelled, capture, decline, voidOvertaken, voidUnasked } from './payment.ts'
import type { Charge, PaymentsPort } from './port.ts'
import type { PaymentProvider } from './provider.ts'
import { lockPayment, noteAnswer, type PaymentRow, savePayment, stateOf, writePayments } from './store.ts'

/** The provider's idempotency key: one charge an order, whoever asks how often. */
export const chargeKey = (orderId: number): string => `order-${orderId}`

/** Payments in this very process: each call writes its intent, asks the provider with no transaction open, settles. */
export const createLocalPayments = (db: Knex, provider: PaymentProvider): PaymentsPort => ({
  async charge({ orderId, userId, amountCents, token }) {
    const order = { orderId, userId }
    const intent = await writePayments(db, (trx) => lockPayment(trx, order, authorize(amountCents)))
    if (intent.status === 'declined') throw declined()
    if (intent.status === 'voided' || intent.status === 'refunded') throw overtaken(orderId)
    if (intent.amount_cents !== amountCents) throw differs(orderId)
    if (intent.status === 'captured') return toCharge(intent)

    const key = chargeKey(orderId)
    await failPoint('payments.before-charge')
    const answer = await provider.charge({ key, amountCents, token, reference: key })
    await failPoint('payments.after-charge')
    if (answer.outcome === 'differs') throw differs(orderId)
    const settled = await noteAnswer(db, async (trx) => {
      const row = await lockPayment(trx, order, authorize(amountCents))
      const state = stateOf(row)
      if (answer.outcome === 'approved') return savePayment(trx, row, capture(state), { providerRef: answer.ref })
      return savePayment(trx, row, answer.outcome === 'declined' ? decline(state) : voidOvertaken(state))
    })
    if (settled.status === 'captured') return toCharge(settled)
    throw settled.status === 'declined' ? declined() : overtaken(orderId)
  },

  async cancel(order) {
    const intent = await writePayments(db, (trx) => lockPayment(trx, order, voidUnasked()))
    // Declined is final at the provider, too. Refunded and voided: an earlier attempt got through.
    if (intent.status !== 'pending' && intent.status !== 'captured') return toCharge(intent)
    await failPoint('payments.before-cancel')
    const answer = await provider.cancel(chargeKey(order.orderId))
    await failPoint('payments.after-cancel')
    return noteAnswer(db, async (trx) => {
      const row = await lockPayment(trx, order, voidUnasked())
      await trx('refunds')
        .where({ payment_id: row.id, status: 'pending' })
        .update({ status: 'refused', updated_at: trx.fn.now() })
      const back = answer.refundedCents - row.refunded_cents
      if (back > 0)
        await trx('refunds')
          .insert({
            payment_id: row.id,
            idempotency_key: 'cancel',
            amount_cents: back,
            reason: 'order cancelled',
            status: 'done',
          })
          .onConflict(['payment_id', 'idempotency_key'])
          .ignore()
      return toCharge(await savePayment(trx, row, cancelled(stateOf(row), answer)))
    })
  },
})

const toCharge = (row: PaymentRow): Charge => ({
  paymentId: row.id,
  orderId: row.order_id,
  status: row.status,
  amountCents: row.amount_cents,
  refundedCents: row.refunded_cents,
})

const declined = () => problem(402, 'payment-declined', 'the payment was declined; try another means of payment')
const overtaken = (orderId: number) =>
  problem(409, 'payment-cancelled', `the payment of order ${orderId} was cancelled before it was made`)
const differs = (orderId: number) =>
  problem(409, 'charge-differs', `the payment of order ${orderId} was asked for with another amount or token`)
