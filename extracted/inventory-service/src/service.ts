import { type Served, type ServiceParts, serviceConfig, startService } from '@banyan/kit/service'
import knex, { type Knex } from 'knex'
import type { z } from 'zod'
import { inventoryContext } from './inventory/context.ts'
import { inventorySettings } from './inventory/settings.ts'
import { SIDE } from './inventory/side.ts'

/** The environment of the inventory service; main.ts alone reads it. */
export const configSchema = serviceConfig.extend({
  PORT: serviceConfig.shape.PORT.default(3002),
  ...inventorySettings,
})

export type Config = Readonly<z.infer<typeof configSchema>>

/**
 * Starts inventory as a service.
 * @param options.ownProcess whether signals and the parent's end stop the process; a test says no
 */
export function startInventoryService(config: Config, options: { ownProcess: boolean }): Promise<Served> {
  return startService({
    name: 'inventory-service',
    side: SIDE,
    sources: import.meta.dirname,
    config,
    connect: knex,
    contexts: (parts: ServiceParts<Config, Knex>) => [inventoryContext(parts)],
    ...options,
  })
}
