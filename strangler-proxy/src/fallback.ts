import type { Ownership } from '@banyan/kit/ownership'
import type { Side } from '@banyan/kit/service'
import { BOTH_SIDES_READ, type Decision, type Facts, isAhead } from './decide.ts'

/** How long ago the last heartbeat that reached the other side may have been written for that side to be in step. */
export const IN_STEP_MS = 2_000

/**
 * The side that may answer a read in place of the one that was decided on, should that fail; null: none. Pure.
 * The owner always may. The other side may while it holds the data and is in step, nobody has told reads to stay with
 * the owner, and this client has written nothing that it may not have yet.
 * @param now the control database's time
 */
export function spareSide(decision: Decision, known: Ownership, facts: Facts, now: () => Date): Side | null {
  if (decision.side !== known.owner) return known.owner
  // Who asked for a side wants to see that side.
  if (decision.reason === 'override') return null
  if (!BOTH_SIDES_READ.has(known.phase) || known.reads === 'owner') return null
  const { heartbeatApplied } = known
  if (heartbeatApplied === null || isAhead(facts.writtenUntil, heartbeatApplied)) return null
  if (now().getTime() - heartbeatApplied.getTime() > IN_STEP_MS) return null
  return known.owner === 'monolith' ? 'service' : 'monolith'
}
