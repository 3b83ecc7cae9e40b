/** Users' access tokens: ES256 JWT, signed by one process and checked by every other with public keys alone. */
import {
  createLocalJWKSet,
  errors,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  type JWTPayload,
  jwtVerify,
  SignJWT,
} from 'jose'
import { Problem } from './problem.ts'
import { createRemoteKeys } from './remote-keys.ts'
import { createTokenCache } from './token-cache.ts'

export type TokenVerifier = {
  /** @throws Problem 401 `invalid-token`, or 503 `keys-unavailable` when no key for it can be fetched. */
  verify(token: string): Promise<JWTPayload>
  /** What `verify` found, as long as it is remembered: whoever checks every request saves the waiting. */
  known(token: string): JWTPayload | undefined
}
export type TokenSigner = {
  /** @param claims `sub` and what else the token shall say; `iss`, `aud`, `iat`, `exp` are set here. */
  sign(claims: JWTPayload): Promise<string>
}

type Expected = { issuer: string; audience: string; typ: string }
type Keys =
  | { jwks: JSONWebKeySet; jwksUrl?: never; cooldownMs?: never; onFailed?: never }
  /** How long after fetching the keys nobody fetches them again, whatever tokens name; 30 s unless told. */
  | { jwksUrl: string | URL; jwks?: never; cooldownMs?: number; onFailed?: (cause: unknown) => void }

const ALGORITHM = 'ES256'

/**
 * @param options Public keys as a JWKS or its URL, and what `iss`, `aud` and the header `typ` must be.
 * @returns A verifier that remembers a token until its own expiry (at most 10,000 of them). A key taken out of the
 *   JWKS therefore still serves the tokens that were seen before, for their lifetime.
 */
export function createTokenVerifier(options: Keys & Expected): TokenVerifier {
  const keys = options.jwks
    ? createLocalJWKSet(options.jwks)
    : createRemoteKeys(new URL(options.jwksUrl), options.cooldownMs ?? 30_000, options.onFailed)
  const cache = createTokenCache<JWTPayload>()
  const { issuer, audience, typ } = options
  const required = { issuer, audience, typ, algorithms: [ALGORITHM], requiredClaims: ['exp', 'sub'] }
  return {
    known: (token) => cache.get(token),
    async verify(token) {
      const known = cache.get(token)
      if (known) return known
      try {
        const { payload } = await jwtVerify(token, keys, required)
        cache.put(token, payload, (payload.exp ?? 0) * 1000)
        return payload
      } catch (cause) {
        throw tokenProblem(cause)
      }
    },
  }
}

/**
 * @param options.privateJwk An EC P-256 private key with its `kid`.
 * @param options.ttlSeconds Lifetime of a token.
 * @param options.now The clock of those who check it, where that is not this process's.
 */
export function createTokenSigner(
  options: Expected & { privateJwk: JWK; ttlSeconds: number; now?: () => Date },
): TokenSigner {
  const { now = () => new Date() } = options
  const key = importJWK(options.privateJwk, ALGORITHM)
  // A bad key must fail the first signature, not the process at a moment of its own.
  key.catch(() => undefined)
  const { kid } = options.privateJwk
  return {
    async sign(claims) {
      const issuedAt = now()
      return await new SignJWT(claims)
        .setProtectedHeader({ alg: ALGORITHM, typ: options.typ, ...(kid ? { kid } : {}) })
        .setIssuer(options.issuer)
        .setAudience(options.audience)
        .setIssuedAt(issuedAt)
        .setExpirationTime(new Date(issuedAt.getTime() + options.ttlSeconds * 1000))
        .sign(await key)
    },
  }
}

/** @returns The public half of a JWKS, for `/.well-known/jwks.json`: named members only, so that `d` cannot slip out. */
export function publicJwks(keys: JSONWebKeySet): JSONWebKeySet {
  return {
    keys: keys.keys.map(({ kty, crv, x, y, kid }) => ({
      ...({ kty, crv, x, y } as JWK),
      ...(kid ? { kid } : {}),
      alg: ALGORITHM,
      use: 'sig',
    })),
  }
}

/** Nothing came from where the keys are published, another status than 200, no JSON, or no set of public keys. */
const OF_THE_KEYS = [errors.JWKSTimeout, errors.JOSEError, errors.JWKSInvalid].map(({ code }) => code)

/** An expired or forged token is the client's to renew; keys that cannot be fetched are not its fault. */
export function tokenProblem(cause: unknown): Problem {
  const faulty = cause instanceof errors.JOSEError && !OF_THE_KEYS.includes(cause.code)
  if (!faulty)
    return new Problem(503, 'keys-unavailable', 'The keys to check the token cannot be fetched. Try again shortly.', {
      cause,
      headers: { 'Retry-After': '1' },
    })
  const expired = cause instanceof errors.JWTExpired
  return new Problem(401, 'invalid-token', expired ? 'The token has expired.' : 'The token is not valid here.', {
    cause,
    headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
  })
}
