/** Signing keys and tokens for tests, made afresh and without the code under test. */
import { createPrivateKey, generateKeyPairSync, type JsonWebKeyInput, sign } from 'node:crypto'

export type PrivateKey = { kty: string; kid: string; crv: string; x: string; y: string; d: string }

/** @returns An EC P-256 private key as a JWK with the `kid`. */
export function newKey(kid: string): PrivateKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...(privateKey.export({ format: 'jwk' }) as Omit<PrivateKey, 'kid'>), kid }
}

/** @returns Its public half. */
export function publicKey({ kty, kid, crv, x, y }: PrivateKey): Omit<PrivateKey, 'd'> {
  return { kty, kid, crv, x, y }
}

/** @returns A token by which the service `key.kid` calls the service `audience`, good for a minute. */
export function serviceToken(key: PrivateKey, audience: string): string {
  return signed(key, 'internal+jwt', { iss: key.kid, aud: audience, sub: key.kid }, 60)
}

/** @returns A user's access token of the shop. @param seconds how long it is good; negative: it was */
export function userToken(key: PrivateKey, user: { sub: string; role: string }, seconds = 900): string {
  return signed(key, 'at+jwt', { iss: 'banyan-shop', aud: 'banyan-shop', ...user }, seconds)
}

function signed(key: PrivateKey, typ: string, claims: object, seconds: number): string {
  const now = Math.floor(Date.now() / 1000)
  const parts = [
    { alg: 'ES256', typ, kid: key.kid },
    { ...claims, iat: now, exp: now + seconds },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  const privateKey = createPrivateKey({ key, format: 'jwk' } as JsonWebKeyInput)
  const signature = sign('sha256', Buffer.from(parts.join('.')), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return [...parts, signature.toString('base64url')].join('.')
}
