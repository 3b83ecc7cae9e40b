import type { WorkGate } from '@banyan/kit/ownership'
import type { Logger } from '@banyan/kit/service'
import { Router } from 'express'
import type { Knex } from 'knex'
import { inventoryAdminRoutes } from './admin-routes.ts'
import { startExpiry } from './expiry.ts'
import { inventoryInternalRoutes } from './internal-routes.ts'
import { inventoryRoutes } from './routes.ts'

export type InventoryDeps = {
  db: Knex
  logger: Logger
  gate: WorkGate
  /** How long a reservation holds when the order does not say. */
  reservationSeconds: number
}

/** The inventory context: its routes, and the worker that lets reservations expire. */
export function inventoryContext(deps: InventoryDeps): { routes: Router; start(): { close(): Promise<void> } } {
  const routes = Router()
  routes.use(inventoryRoutes(deps))
  routes.use(inventoryAdminRoutes(deps))
  routes.use(inventoryInternalRoutes(deps))
  return { routes, start: () => startExpiry(deps) }
}
