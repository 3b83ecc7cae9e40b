import { type Served, type ServiceParts, serviceConfig, startService } from '@banyan/kit/service'
import knex, { type Knex } from 'knex'
import type { z } from 'zod'
import { shippingContext } from './shipping/context.ts'
import { shippingSettings } from './shipping/settings.ts'
import { SIDE } from './shipping/side.ts'

/** The environment of the shipping service; main.ts alone reads it. */
export const configSchema = serviceConfig.extend({
  PORT: serviceConfig.shape.PORT.default(3006),
  ...shippingSettings,
})

export type Config = Readonly<z.infer<typeof configSchema>>

/**
 * Starts shipping as a service.
 * @param options.ownProcess whether signals and the parent's end stop the process; a test says no
 */
export function startShippingService(config: Config, options: { ownProcess: boolean }): Promise<Served> {
  return startService({
    name: 'shipping-service',
    side: SIDE,
    sources: import.meta.dirname,
    config,
    connect: knex,
    contexts: (parts: ServiceParts<Config, Knex>) => [shippingContext(parts)],
    ...options,
  })
}
