import { publicJwks, type Served, type ServiceParts, serviceConfig, startService } from '@banyan/kit/service'
import knex, { type Knex } from 'knex'
import type { z } from 'zod'
import { usersContext } from './users/context.ts'
import { usersSettings } from './users/settings.ts'
import { SIDE } from './users/side.ts'

/** The environment of the user service; main.ts alone reads it. */
export const configSchema = serviceConfig.extend({
  PORT: serviceConfig.shape.PORT.default(3001),
  ...usersSettings,
})

export type Config = Readonly<z.infer<typeof configSchema>>

/**
 * Starts users as a service. It signs with the keys that the monolith has signed with, so it checks by them too.
 * @param options.ownProcess whether signals and the parent's end stop the process; a test says no
 */
export function startUserService(config: Config, options: { ownProcess: boolean }): Promise<Served> {
  return startService({
    name: 'user-service',
    side: SIDE,
    sources: import.meta.dirname,
    config,
    connect: knex,
    contexts: (parts: ServiceParts<Config, Knex>) => [usersContext(parts)],
    jwks: publicJwks(config.JWT_KEYS),
    ...options,
  })
}
