import type { Side } from '@banyan/kit/service'
import type { Signer } from './sign.ts'

/** The header by which a tester chooses the side that answers reads: `Banyan-Side: service; <signature>`. */
export const OVERRIDE_HEADER = 'banyan-side'
const PURPOSE = 'override'

/** The side a signed override asks for; null for none, an unknown side or a signature that is not ours. */
export function readOverride(header: string | string[] | undefined, signer: Signer): Side | null {
  if (typeof header !== 'string') return null
  const [side, signature, ...more] = header.split(';').map((part) => part.trim())
  if ((side !== 'monolith' && side !== 'service') || signature === undefined || more.length > 0) return null
  return signer.open(PURPOSE, `${side}.${signature}`) === null ? null : side
}

/** The value of the header for a side, to hand to a tester. */
export function signOverride(side: Side, signer: Signer): string {
  return `${side}; ${signer.sign(PURPOSE, side).slice(side.length + 1)}`
}
