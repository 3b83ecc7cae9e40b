import { createTokenVerifier, type Logger, type TokenVerifier } from '@banyan/kit/service'
import type { ProxyConfig } from './config.ts'
import type { Route } from './routes/route.ts'

/**
 * What users' tokens are checked by here; null where there are no keys, and the upstreams alone judge them.
 * @throws where a rule requires a token all the same: it would be let through unseen
 */
export function verifierOf(
  config: Pick<ProxyConfig, 'JWT_JWKS' | 'JWT_JWKS_URL' | 'JWT_ISSUER' | 'JWT_AUDIENCE' | 'ROUTES'>,
  routes: readonly Pick<Route, 'auth' | 'name'>[],
  logger: Pick<Logger, 'warn'>,
): TokenVerifier | null {
  const { JWT_JWKS: jwks, JWT_JWKS_URL: jwksUrl, JWT_ISSUER: issuer, JWT_AUDIENCE: audience = issuer } = config
  const expected = issuer === undefined || audience === undefined ? null : { issuer, audience, typ: 'at+jwt' }
  if (expected !== null && jwks !== undefined) return createTokenVerifier({ ...expected, jwks })
  const onFailed = (err: unknown) => logger.warn({ err }, 'no keys of access tokens come from JWT_JWKS_URL')
  if (expected !== null && jwksUrl !== undefined) return createTokenVerifier({ ...expected, jwksUrl, onFailed })
  const strict = routes.find(({ auth }) => auth === 'required')
  if (strict === undefined) return null
  throw new Error(
    `configuration: ${config.ROUTES} says "auth: required" of ${strict.name}, and there are no keys to check tokens by. Remedy: set JWT_JWKS or JWT_JWKS_URL, or leave it to the upstreams to judge tokens, without "auth"`,
  )
}
