import { type Served, type ServiceParts, serviceConfig, startService } from '@banyan/kit/service'
import knex, { type Knex } from 'knex'
import { z } from 'zod'
import { ordersContext } from './orders/context.ts'
import { SIDE } from './orders/side.ts'
import { createCustomers } from './ports/customers.ts'
import { createInventory } from './ports/inventory.ts'
import { createPayments } from './ports/payments.ts'

/** The environment of the order service; main.ts alone reads it. */
export const configSchema = serviceConfig.extend({
  PORT: serviceConfig.shape.PORT.default(3004),
  INVENTORY_SERVICE_URL: z.url(),
  PAYMENT_SERVICE_URL: z.url(),
  USER_SERVICE_URL: z.url(),
})

export type Config = Readonly<z.infer<typeof configSchema>>

/**
 * Starts orders as a service: whatever they ask of others is a call to another process.
 * @param options.ownProcess whether signals and the parent's end stop the process; a test says no
 */
export function startOrderService(config: Config, options: { ownProcess: boolean }): Promise<Served> {
  return startService({
    name: 'order-service',
    side: SIDE,
    sources: import.meta.dirname,
    config,
    connect: knex,
    contexts: (parts: ServiceParts<Config, Knex>) => [
      ordersContext({
        ...parts,
        inventory: createInventory(parts.callerOf('inventory-service', config.INVENTORY_SERVICE_URL)),
        payments: createPayments(parts.callerOf('payment-service', config.PAYMENT_SERVICE_URL)),
        customerOf: createCustomers(parts.callerOf('user-service', config.USER_SERVICE_URL)),
      }),
    ],
    ...options,
  })
}
