import { Router } from 'express'
import type { Knex } from 'knex'
import { lookupProducts, ownedProducts } from './products.ts'
import { confirm, get, release, reserve } from './reservations.ts'
import { lookupRequest, orderId, reserveRequest } from './schemas.ts'

/** What the other contexts ask of inventory; mounted behind a check of the caller's own token. */
export function inventoryInternalRoutes(deps: { db: Knex; reservationSeconds: number }): Router {
  const { db, reservationSeconds } = deps
  const router = Router()

  // Repeatable by order id; 200 also the first time, so that a repeated answer is the same answer.
  router.post('/internal/reservations', async (req, res) => {
    const request = reserveRequest.parse(req.body)
    res.json(await db.transaction((trx) => reserve(trx, request, reservationSeconds)))
  })

  router.get('/internal/reservations/:orderId', async (req, res) => {
    res.json(await get(db, orderId.parse(req.params).orderId))
  })

  router.post('/internal/reservations/:orderId/confirm', async (req, res) => {
    const id = orderId.parse(req.params).orderId
    res.json(await db.transaction((trx) => confirm(trx, id)))
  })

  router.post('/internal/reservations/:orderId/release', async (req, res) => {
    const id = orderId.parse(req.params).orderId
    res.json(await db.transaction((trx) => release(trx, id)))
  })

  router.post('/internal/products/lookup', async (req, res) => {
    const { ids, owned } = lookupRequest.parse(req.body)
    res.json({ items: await (owned ? ownedProducts(db, ids) : lookupProducts(db, ids)) })
  })

  return router
}
