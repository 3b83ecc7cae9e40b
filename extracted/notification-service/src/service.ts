import { type Served, type ServiceParts, serviceConfig, startService } from '@banyan/kit/service'
import knex, { type Knex } from 'knex'
import type { z } from 'zod'
import { notificationsContext } from './notifications/context.ts'
import { notificationsSettings } from './notifications/settings.ts'
import { SIDE } from './notifications/side.ts'

/** The environment of the notification service; main.ts alone reads it. */
export const configSchema = serviceConfig.extend({
  PORT: serviceConfig.shape.PORT.default(3005),
  ...notificationsSettings,
})

export type Config = Readonly<z.infer<typeof configSchema>>

/**
 * Starts notifications as a service.
 * @param options.ownProcess whether signals and the parent's end stop the process; a test says no
 */
export function startNotificationService(config: Config, options: { ownProcess: boolean }): Promise<Served> {
  return startService({
    name: 'notification-service',
    side: SIDE,
    sources: import.meta.dirname,
    config,
    connect: knex,
    contexts: (parts: ServiceParts<Config, Knex>) => [notificationsContext(parts)],
    ...options,
  })
}
