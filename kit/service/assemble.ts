/** Contexts behind the checks of who asks: users on /api, other processes on /internal. */
import type { Express } from 'express'
import type { JSONWebKeySet } from 'jose'
import { createApp, finishApp } from './app.ts'
import { authenticate } from './authenticate.ts'
import type { Context } from './context.ts'
import type { Health } from './health.ts'
import { requireInternal } from './internal-tokens.ts'
import type { Logger } from './logger.ts'
import type { Metrics } from './metrics.ts'
import type { Side } from './refusal.ts'
import type { ServiceConfig } from './service-config.ts'
import { createTokenVerifier, type TokenVerifier } from './tokens.ts'

/**
 * @param options.name this process's name: the audience of tokens on internal routes
 * @param options.side the side that the process stands on, told where it refuses a write
 * @param options.jwks public keys of the users' tokens where the process has them by itself, and not by configuration
 */
export function assemble(options: {
  name: string
  side: Side
  config: ServiceConfig
  contexts: readonly Context[]
  jwks: JSONWebKeySet | undefined
  logger: Logger
  health: Health
  metrics: Metrics
}): Express {
  const { name, side, config, contexts, logger } = options
  const app = createApp(options)
  app.use('/api', authenticate(verifierOf(config, options.jwks, logger)))
  app.use('/internal', requireInternal({ jwks: config.INTERNAL_JWKS ?? { keys: [] }, audience: name }))
  for (const { routes } of contexts) app.use(routes)
  return finishApp(app, { logger, side })
}

function verifierOf(config: ServiceConfig, own: JSONWebKeySet | undefined, logger: Logger): TokenVerifier {
  const { JWT_JWKS_URL: jwksUrl, JWT_ISSUER: issuer, JWT_AUDIENCE: audience = issuer } = config
  const expected = { issuer, audience, typ: 'at+jwt' }
  const jwks = own ?? config.JWT_JWKS
  if (jwks) return createTokenVerifier({ ...expected, jwks })
  const onFailed = (err: unknown) => logger.warn({ err }, 'no keys of access tokens come from JWT_JWKS_URL')
  if (jwksUrl) return createTokenVerifier({ ...expected, jwksUrl, onFailed })
  throw new Error('configuration: set JWT_JWKS or JWT_JWKS_URL; without keys no access token can be checked')
}
