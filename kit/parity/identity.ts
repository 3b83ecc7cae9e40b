import { z } from 'zod'
import { createTokenSigner } from '../service/tokens.ts'
import type { Identify } from './side.ts'

const TTL_SECONDS = 300
const REUSE_MS = 120_000

const jwk = z.looseObject({ kty: z.string() })

/** A token as it is, or a key to sign short-lived ones with, so that a long run does not outlive them. */
export const identityShape = z.union([
  z.strictObject({ bearer: z.string().min(1) }),
  z.strictObject({
    sign: z.strictObject({
      privateJwk: jwk,
      issuer: z.string(),
      audience: z.string(),
      typ: z.string(),
      claims: z.record(z.string(), z.unknown()),
    }),
  }),
])

/**
 * @param identities by the names that scenarios use under `as`
 * @param now the clock of the side, by which it checks what is signed
 */
export function createIdentify(
  identities: Readonly<Record<string, z.infer<typeof identityShape>>>,
  now: () => Date,
): Identify {
  const made = new Map<string, { token: Promise<string>; until: number }>()
  return async (who, own) => {
    const identity = identities[who]
    if (!identity) return undefined
    if ('bearer' in identity) return `Bearer ${identity.bearer}`
    const key = JSON.stringify([who, own])
    const known = made.get(key)
    if (known && known.until > Date.now()) return `Bearer ${await known.token}`
    const { claims, privateJwk, ...expected } = identity.sign
    const signer = createTokenSigner({ ...expected, privateJwk: privateJwk as never, ttlSeconds: TTL_SECONDS, now })
    const token = signer.sign({ ...claims, ...own })
    made.set(key, { token, until: Date.now() + REUSE_MS })
    return `Bearer ${await token}`
  }
}
