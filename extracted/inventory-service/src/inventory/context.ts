import type { WorkGate } from '@banyan/kit/ownership'
import type { Context, Logger } from '@banyan/kit/service'
import { Router } from 'express'
import type { Knex } from 'knex'
import { inventoryAdminRoutes } from './admin-routes.ts'
import { startExpiry } from './expiry.ts'
import { inventoryInternalRoutes } from './internal-routes.ts'
import { inventoryRoutes } from './routes.ts'
import type { InventorySettings } from './settings.ts'

export type InventoryDeps = { config: InventorySettings; db: Knex; logger: Logger; gate: WorkGate }

/** The inventory context: its routes, and the worker that lets reservations expire. */
export function inventoryContext(deps: InventoryDeps): Context {
  const routes = Router()
  routes.use(inventoryRoutes(deps))
  routes.use(inventoryAdminRoutes(deps))
  routes.use(inventoryInternalRoutes({ db: deps.db, reservationSeconds: deps.config.RESERVATION_SECONDS }))
  return { routes, start: () => startExpiry(deps) }
}
