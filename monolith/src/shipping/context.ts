import { requireUser } from '@banyan/kit/service'
import { Router } from 'express'
import { consumeEvents } from '../consume.ts'
import type { Context, Deps } from '../deps.ts'
import { pathId } from '../http.ts'
import { startPeriodic } from '../periodic.ts'
import { shippingHandlers } from './events.ts'
import { dispatchNext, getShipment } from './shipments.ts'

const BATCH = 50

/** The shipping context: packs confirmed orders, and hands them to the carrier `SHIPPING_DELAY_MS` later. */
export const shippingContext = (deps: Pick<Deps, 'config' | 'db' | 'broker' | 'gate' | 'logger'>): Context => {
  const { config, db, gate, logger } = deps
  const routes = Router()
  routes.get('/api/orders/:id/shipment', requireUser, async (req, res) => {
    res.set('Cache-Control', 'private, no-cache')
    res.json(await getShipment(db, pathId.parse(req.params).id, Number(req.user?.id)))
  })

  const dispatchDue = async () => {
    let dispatched = 0
    while (dispatched < BATCH && (await gate.pass(['shipping'], () => dispatchNext(db)))) dispatched += 1
  }
  return {
    routes,
    start() {
      const consumer = consumeEvents(deps, 'shipping', shippingHandlers(config.SHIPPING_DELAY_MS))
      const dispatching = startPeriodic({ logger, what: 'dispatching', intervalMs: 500 }, dispatchDue)
      return {
        async close() {
          await Promise.all([consumer.close(), dispatching.close()])
        },
      }
    },
  }
}
