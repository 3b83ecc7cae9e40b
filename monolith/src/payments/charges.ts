import { failPoint, problem } from '@banyan/kit/service'
import type { Knex } from 'knex'
import { authorize, cancelled, capture, decline, voidUnasked } from './payment.ts'
import type { PaymentsPort } from './port.ts'
import type { PaymentProvider } from './provider.ts'
import { lockPayment, savePayment, stateOf, writePayments } from './store.ts'

/** The provider's idempotency key: one charge an order, whoever asks how often. */
export const chargeKey = (orderId: number): string => `order-${orderId}`

/** Payments in this very process: each call writes its intent, asks the provider with no transaction open, settles. */
export const createLocalPayments = (db: Knex, provider: PaymentProvider): PaymentsPort => ({
  async charge({ orderId, userId, amountCents, token }) {
    const order = { orderId, userId }
    const intent = await writePayments(db, (trx) => lockPayment(trx, order, authorize(amountCents)))
    if (intent.status === 'captured') return { paymentId: intent.id }
    if (intent.status === 'declined') throw declined()
    if (intent.status !== 'pending') throw overtaken(orderId)

    const key = chargeKey(orderId)
    await failPoint('payments.before-charge')
    const answer = await provider.charge({ key, amountCents, token, reference: key })
    await failPoint('payments.after-charge')
    const settled = await writePayments(db, async (trx) => {
      const row = await lockPayment(trx, order, authorize(amountCents))
      if (answer.outcome === 'approved') {
        const next = capture(stateOf(row))
        await savePayment(trx, row, next, { providerRef: answer.ref })
        return next.status
      }
      const next =
        answer.outcome === 'declined' ? decline(stateOf(row)) : { ...stateOf(row), status: 'voided' as const }
      await savePayment(trx, row, row.status === 'pending' ? next : stateOf(row))
      return answer.outcome
    })
    if (settled === 'captured') return { paymentId: intent.id }
    throw settled === 'declined' ? declined() : overtaken(orderId)
  },

  async cancel(order) {
    const intent = await writePayments(db, (trx) => lockPayment(trx, order, voidUnasked()))
    // Declined is final at the provider, too. Refunded and voided: an earlier attempt got through.
    if (intent.status !== 'pending' && intent.status !== 'captured') return
    await failPoint('payments.before-cancel')
    const answer = await provider.cancel(chargeKey(order.orderId))
    await failPoint('payments.after-cancel')
    await writePayments(db, async (trx) => {
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
      await savePayment(trx, row, cancelled(stateOf(row), answer))
    })
  },
})

const declined = () => problem(402, 'payment-declined', 'the payment was declined; try another means of payment')
const overtaken = (orderId: number) =>
  problem(409, 'payment-cancelled', `the payment of order ${orderId} was cancelled before it was made`)
