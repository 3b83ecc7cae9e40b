import { publicJwks, type Served, startService } from '@banyan/kit/service'
import knex from 'knex'
import type { Config } from './config.ts'
import { shopContexts } from './contexts.ts'

/**
 * Starts the shop.
 * @param options.ownProcess whether signals and the parent's end stop the process; a test says no
 */
export function startMonolith(config: Config, options: { ownProcess: boolean }): Promise<Served> {
  return startService({
    name: 'monolith',
    side: 'monolith',
    sources: import.meta.dirname,
    config,
    connect: knex,
    contexts: shopContexts,
    jwks: publicJwks(config.JWT_KEYS),
    ...options,
  })
}
