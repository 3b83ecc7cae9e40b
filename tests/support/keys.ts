/** Signing keys for tests, made afresh. */
import { generateKeyPairSync } from 'node:crypto'

/** @returns An EC P-256 private key as a JWK with the `kid`; strip `d`, or take the kit's `publicJwks`, to publish it. */
export function newKey(kid: string): { kty: string; kid: string; crv: string; x: string; y: string; d: string } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    ...(privateKey.export({ format: 'jwk' }) as { kty: string; crv: string; x: string; y: string; d: string }),
    kid,
  }
}
