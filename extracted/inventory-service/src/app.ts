import {
  authenticate,
  createApp,
  createTokenVerifier,
  finishApp,
  type Health,
  type Logger,
  type Metrics,
  requireInternal,
} from '@banyan/kit/service'
import type { Express, Router } from 'express'
import type { Config } from './config.ts'

/** Puts the inventory context behind the checks of who asks: users on /api, services on /internal. */
export function buildApp(deps: {
  config: Config
  logger: Logger
  health: Health
  metrics: Metrics
  inventory: Router
}): Express {
  const { config, logger } = deps
  const app = createApp(deps)
  app.use('/api', authenticate(verifierOf(config)))
  app.use('/internal', requireInternal({ jwks: config.INTERNAL_JWKS, audience: 'inventory-service' }))
  app.use(deps.inventory)
  return finishApp(app, { logger, side: 'service' })
}

function verifierOf({ JWT_JWKS, JWT_JWKS_URL, JWT_ISSUER }: Config) {
  const expected = { issuer: JWT_ISSUER, audience: 'banyan-shop', typ: 'at+jwt' }
  if (JWT_JWKS) return createTokenVerifier({ ...expected, jwks: JWT_JWKS })
  if (JWT_JWKS_URL) return createTokenVerifier({ ...expected, jwksUrl: JWT_JWKS_URL })
  throw new Error('configuration: set JWT_JWKS or JWT_JWKS_URL; without keys no access token can be checked')
}
