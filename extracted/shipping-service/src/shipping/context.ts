import type { Broker } from '@banyan/kit/broker'
import { consumeEvents, heardBy } from '@banyan/kit/inbox'
import type { WorkGate } from '@banyan/kit/ownership'
import { type Context, type Logger, pathId, requireUser, startPeriodic } from '@banyan/kit/service'
import { Router } from 'express'
import type { Knex } from 'knex'
import { shippingHandlers } from './events.ts'
import type { ShippingSettings } from './settings.ts'
import { dispatchNext, getShipment } from './shipments.ts'
import { CONTEXT, SIDE } from './side.ts'

const BATCH = 50

export type ShippingDeps = {
  config: ShippingSettings
  db: Knex
  broker: Broker | undefined
  gate: WorkGate
  logger: Logger
}

/** The shipping context: packs confirmed orders, and hands them to the carrier `SHIPPING_DELAY_MS` later. */
export const shippingContext = (deps: ShippingDeps): Context => {
  const { config, db, gate, logger } = deps
  const routes = Router()
  // Refusals say it too, as all below /api/orders does.
  routes.use('/api/orders/:id/shipment', (_req, res, next) => {
    res.set('Cache-Control', 'private, no-cache')
    next()
  })
  routes.get('/api/orders/:id/shipment', requireUser, async (req, res) => {
    res.json(await getShipment(db, pathId.parse(req.params).id, Number(req.user?.id)))
  })

  const dispatchDue = async () => {
    let dispatched = 0
    while (dispatched < BATCH && (await gate.pass([CONTEXT], () => dispatchNext(db)))) dispatched += 1
  }
  const handlers = shippingHandlers(config.SHIPPING_DELAY_MS)
  return {
    routes,
    hears: heardBy(CONTEXT, handlers),
    start() {
      const consumer = consumeEvents({ ...deps, context: CONTEXT, side: SIDE, handlers })
      const dispatching = startPeriodic({ logger, what: 'dispatching', intervalMs: 500 }, dispatchDue)
      return {
        async close() {
          await Promise.all([consumer.close(), dispatching.close()])
        },
      }
    },
  }
}
