import { ownerOf } from '@banyan/kit/ownership'
import { failPoint, Problem, problem } from '@banyan/kit/service'
import type { Knex } from 'knex'
import { chargeKey } from './charges.ts'
import { refund, refundable } from './payment.ts'
import type { PaymentProvider } from './provider.ts'
import { CONTEXT, SIDE } from './side.ts'
import { noteAnswer, type PaymentRow, savePayment, stateOf, writePayments } from './store.ts'

export type RefundRow = {
  id: number
  payment_id: number
  amount_cents: number
  reason: string
  status: 'pending' | 'done' | 'refused'
  created_at: Date
}

export const toRefund = (row: RefundRow) => ({
  id: row.id,
  paymentId: row.payment_id,
  amountCents: row.amount_cents,
  reason: row.reason,
  status: row.status,
  createdAt: row.created_at.toISOString(),
})

type Wanted = { paymentId: number; idempotencyKey: string; amountCents: number | undefined; reason: string }

/**
 * Gives money of a captured payment back; the same key gives it back once.
 *
 * @returns the refund; `pending` when the provider gave no clear answer: it is asked again, here or by the worker
 * @throws Problem 404 payment-not-found, 409 refund-too-large, 422 idempotency-key-reused
 */
export const makeRefund = async (db: Knex, provider: PaymentProvider, wanted: Wanted): Promise<RefundRow> => {
  const intent = await writePayments(db, (trx) => intend(trx, wanted))
  if (intent.status !== 'pending') return intent
  return settleRefund(db, provider, intent).catch((error) => {
    if (error instanceof Problem && error.code === 'payment-unclear') return intent
    throw error
  })
}

/**
 * Asks the provider about refunds that a kill or an outage left open. Each is a step of its own, so that a hold waits for
 * one answer of the provider and not for all, and none waits for the answer to another.
 *
 * @param options.pass what each step passes through; what it does not let through is left for the next time
 * @returns how many it has settled; 0 too when the other side owns payments, whose business they then are
 * @throws AggregateError of those that it could not settle, after it has tried all
 */
export const settlePendingRefunds = async (
  db: Knex,
  provider: PaymentProvider,
  { olderThanMs = 5_000, pass = (step) => step() }: { olderThanMs?: number; pass?: Pass } = {},
): Promise<number> => {
  const due = (await pass(() => pendingRefunds(db, olderThanMs))) ?? []
  const failures: unknown[] = []
  let settled = 0
  for (const row of due) {
    const asked = await pass(() => settleRefund(db, provider, row)).catch((error) => void failures.push(error))
    if (asked) settled += 1
  }
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} refunds are still open`)
  return settled
}

type Pass = <T>(step: () => Promise<T>) => Promise<T | undefined>

/** Those first that have waited longest. */
const pendingRefunds = (db: Knex, olderThanMs: number): Promise<RefundRow[]> =>
  db.transaction(async (trx) => {
    if ((await ownerOf(trx, CONTEXT)).owner !== SIDE) return []
    const { rows } = await trx.raw<{ rows: RefundRow[] }>(
      `select * from refunds where status = 'pending' and created_at < now() - make_interval(secs => ?)
       order by created_at limit 20`,
      [olderThanMs / 1000],
    )
    return rows
  })

/** Written, with the payment locked, before the provider is asked. */
const intend = async (trx: Knex.Transaction, wanted: Wanted): Promise<RefundRow> => {
  const payment = await trx<PaymentRow>('payments').where({ id: wanted.paymentId }).forUpdate().first()
  if (!payment) throw problem(404, 'payment-not-found', `there is no payment ${wanted.paymentId}`)
  const key = { payment_id: payment.id, idempotency_key: wanted.idempotencyKey }
  const earlier = await trx<RefundRow>('refunds').where(key).first()
  if (earlier) {
    if (wanted.amountCents !== undefined && wanted.amountCents !== earlier.amount_cents)
      throw problem(422, 'idempotency-key-reused', 'this Idempotency-Key was used for a refund of another amount')
    return earlier
  }
  const open = await trx('refunds').where({ payment_id: payment.id, status: 'pending' }).sum('amount_cents as cents')
  const left = refundable(stateOf(payment)) - Number(open[0]?.cents ?? 0)
  const amountCents = wanted.amountCents ?? left
  if (amountCents < 1 || amountCents > left)
    throw problem(409, 'refund-too-large', `${left} cents of this payment are left to give back`, { leftCents: left })
  const [row] = await trx<RefundRow>('refunds')
    .insert({ ...key, amount_cents: amountCents, reason: wanted.reason, status: 'pending' })
    .returning('*')
  return row as RefundRow
}

const settleRefund = async (db: Knex, provider: PaymentProvider, intent: RefundRow): Promise<RefundRow> => {
  const payment = await db<PaymentRow>('payments').where({ id: intent.payment_id }).first()
  const given = await provider.refund(chargeKey(payment!.order_id), `refund-${intent.id}`, intent.amount_cents)
  await failPoint('payments.after-refund')
  return noteAnswer(db, async (trx) => {
    const row = await trx<PaymentRow>('payments').where({ id: intent.payment_id }).forUpdate().first()
    const open = await trx<RefundRow>('refunds').where({ id: intent.id, status: 'pending' }).first()
    if (open && given) await savePayment(trx, row!, refund(stateOf(row!), intent.amount_cents))
    if (open)
      await trx('refunds')
        .where({ id: intent.id })
        .update({ status: given ? 'done' : 'refused', updated_at: trx.fn.now() })
    return (await trx<RefundRow>('refunds').where({ id: intent.id }).first()) as RefundRow
  })
}
