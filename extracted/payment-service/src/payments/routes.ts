import { idempotencyKey, pageQuery, pathId, problem, requireRole, requireUser, storableText } from '@banyan/kit/service'
import { type Request, Router } from 'express'
import type { Knex } from 'knex'
import { z } from 'zod'
import type { PaymentProvider } from './provider.ts'
import { makeRefund, toRefund } from './refunds.ts'
import { type PaymentRow, toPayment } from './store.ts'

const listQuery = pageQuery.extend({ orderId: z.coerce.number().int().positive().optional() })
const refundRequest = z.strictObject({
  amountCents: z.int().min(1).max(100_000_000).optional(),
  reason: storableText(1, 200),
})

/** Customers see their own payments, administrators all of them. */
export const paymentsRoutes = ({ db, provider }: { db: Knex; provider: PaymentProvider }): Router => {
  const router = Router()
  const visible = (req: Request) => {
    const query = db<PaymentRow>('payments')
    return req.user?.role === 'admin' ? query : query.where({ user_id: Number(req.user?.id) })
  }

  router.get('/api/payments', requireUser, async (req, res) => {
    const { page, size, orderId } = listQuery.parse(req.query)
    const matching = () => (orderId === undefined ? visible(req) : visible(req).where({ order_id: orderId }))
    const [count] = await matching().count<{ total: string | number }[]>('* as total')
    const rows = await matching()
      .orderBy('id', 'desc')
      .limit(size)
      .offset((page - 1) * size)
    res.json({ items: rows.map(toPayment), page, size, total: Number(count?.total ?? 0) })
  })

  router.get('/api/payments/:id', requireUser, async (req, res) => {
    const { id } = pathId.parse(req.params)
    const row = await visible(req).where({ id }).first()
    if (!row) throw problem(404, 'payment-not-found', `there is no payment ${id}`)
    res.json(toPayment(row))
  })

  router.post('/api/payments/:id/refunds', requireRole('admin'), async (req, res) => {
    const { id } = pathId.parse(req.params)
    const { amountCents, reason } = refundRequest.parse(req.body)
    const refund = await makeRefund(db, provider, {
      paymentId: id,
      idempotencyKey: `admin:${idempotencyKey(req)}`,
      amountCents,
      reason,
    })
    res.status(201).json(toRefund(refund))
  })

  return router
}
