import { type Served, type ServiceParts, serviceConfig, startService } from '@banyan/kit/service'
import knex, { type Knex } from 'knex'
import type { z } from 'zod'
import { paymentsContext } from './payments/context.ts'
import { paymentsSettings } from './payments/settings.ts'
import { SIDE } from './payments/side.ts'

/** The environment of the payment service; main.ts alone reads it. */
export const configSchema = serviceConfig.extend({
  PORT: serviceConfig.shape.PORT.default(3003),
  ...paymentsSettings,
})

export type Config = Readonly<z.infer<typeof configSchema>>

/**
 * Starts payments as a service.
 * @param options.ownProcess whether signals and the parent's end stop the process; a test says no
 */
export function startPaymentService(config: Config, options: { ownProcess: boolean }): Promise<Served> {
  return startService({
    name: 'payment-service',
    side: SIDE,
    sources: import.meta.dirname,
    config,
    connect: knex,
    contexts: (parts: ServiceParts<Config, Knex>) => [paymentsContext(parts)],
    ...options,
  })
}
