import type { Ownership } from '@banyan/kit/ownership'
import type { Route } from './routes/route.ts'

/** Whether a write may pass now, has to wait, or is refused because this proxy can no longer know. */
export type Gate = 'open' | 'hold' | 'refuse'

export interface OwnershipView {
  get(context: string): Ownership | undefined
  leaseValid(): boolean
}

/**
 * Reads always pass. A write waits while any context it writes is held. A proxy whose lease is over cannot be told to
 * hold, and the mover no longer waits for it: it refuses the writes of a context last seen held or switching. Any
 * other context goes on by the last known owner; the fence in the database protects the data.
 */
export function gate(route: Route | null, ownership: OwnershipView): Gate {
  if (route === null) return 'open'
  let held = false
  for (const context of route.writes) {
    const known = ownership.get(context)
    if (known === undefined) continue
    if ((known.hold || known.phase === 'switching') && !ownership.leaseValid()) return 'refuse'
    held ||= known.hold
  }
  return held ? 'hold' : 'open'
}

/** Whether a context is on the move: its owner may change while a request is under way. */
export function isOnTheMove(context: string, ownership: Pick<OwnershipView, 'get'>): boolean {
  const phase = ownership.get(context)?.phase
  return phase !== undefined && phase !== 'idle' && phase !== 'completed'
}
