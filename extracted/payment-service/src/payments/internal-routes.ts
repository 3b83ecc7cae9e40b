import { Router } from 'express'
import type { PaymentsPort } from './port.ts'
import { cancelRequest, chargePath, chargeRequest } from './schemas.ts'

/** What the other contexts ask of payments; mounted behind a check of the caller's own token. */
export const paymentsInternalRoutes = ({ charges }: { charges: PaymentsPort }): Router => {
  const router = Router()

  // Repeatable by order id; 200 also the first time, so that a repeated answer is the same answer.
  router.post('/internal/charges', async (req, res) => {
    res.json(await charges.charge(chargeRequest.parse(req.body)))
  })

  router.post('/internal/charges/:orderId/cancel', async (req, res) => {
    const { orderId } = chargePath.parse(req.params)
    res.json(await charges.cancel({ orderId, ...cancelRequest.parse(req.body) }))
  })

  return router
}
