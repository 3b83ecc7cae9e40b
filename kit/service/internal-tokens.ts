/** Calls between services: each signs with its own key, for one callee, for one minute. */
import type { RequestHandler } from 'express'
import { decodeProtectedHeader, errors, importJWK, type JSONWebKeySet, type JWK, jwtVerify } from 'jose'
import { bearerOf, INTERNAL_TYP } from './authenticate.ts'
import { Problem } from './problem.ts'
import { createTokenCache } from './token-cache.ts'
import { createTokenSigner, tokenProblem } from './tokens.ts'

export type InternalSigner = {
  /** @param audience The callee's name. */
  sign(audience: string): Promise<string>
}

const TTL_SECONDS = 60
const REUSE_MS = 30_000

/**
 * @param options.name This service's name: the token's issuer, and the `kid` under which callees know its key.
 * @returns A signer that reuses a token for half its lifetime.
 */
export function createInternalSigner(options: { privateJwk: JWK; name: string }): InternalSigner {
  const { name } = options
  const privateJwk = { ...options.privateJwk, kid: name }
  const made = createTokenCache<Promise<string>>(1_000)
  return {
    async sign(audience) {
      const known = made.get(audience)
      if (known) return await known
      const signer = createTokenSigner({
        privateJwk,
        issuer: name,
        audience,
        typ: INTERNAL_TYP,
        ttlSeconds: TTL_SECONDS,
      })
      const token = signer.sign({ sub: name })
      made.put(audience, token, Date.now() + REUSE_MS)
      return await token
    },
  }
}

/**
 * Guards internal routes and sets `req.caller`. The key is chosen by `kid` and the issuer must be that very name, so that
 * a service can speak for nobody but itself.
 * @param options.jwks Public keys of all services, `kid` = service name.
 * @param options.audience This service's name.
 */
export function requireInternal(options: { jwks: JSONWebKeySet; audience: string }): RequestHandler {
  const verified = createTokenCache<string>()
  return async (req, _res, next) => {
    const token = bearerOf(req.headers.authorization)
    if (!token)
      throw new Problem(401, 'internal-token-required', 'This route is for services, with a token of their own.')
    let caller = verified.get(token)
    if (!caller) {
      const { iss, exp } = await check(token, options)
      caller = iss
      verified.put(token, iss, exp * 1000)
    }
    req.caller = caller
    next()
  }
}

async function check(
  token: string,
  { jwks, audience }: { jwks: JSONWebKeySet; audience: string },
): Promise<{ iss: string; exp: number }> {
  try {
    const { kid } = decodeProtectedHeader(token)
    const jwk = kid ? jwks.keys.find((key) => key.kid === kid) : undefined
    if (!kid || !jwk) throw new errors.JWKSNoMatchingKey()
    const expected = { issuer: kid, audience, typ: INTERNAL_TYP, algorithms: ['ES256'], requiredClaims: ['exp'] }
    const { payload } = await jwtVerify(token, await importJWK(jwk, 'ES256'), expected)
    return { iss: kid, exp: payload.exp ?? 0 }
  } catch (cause) {
    // decodeProtectedHeader reports garbage as a TypeError.
    throw tokenProblem(cause instanceof TypeError ? new errors.JWTInvalid(cause.message) : cause)
  }
}
