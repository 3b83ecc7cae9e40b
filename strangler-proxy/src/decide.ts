import type { Ownership } from '@banyan/kit/ownership'
import type { Side } from '@banyan/kit/service'
import type { Route } from './routes/route.ts'

/** Why a side was chosen; a label of the metrics. */
export type Reason =
  | 'no-route'
  | 'unknown-context'
  | 'write'
  | 'override'
  | 'no-move'
  | 'kill-switch'
  | 'read-your-writes'
  | 'unchecked-token'
  | 'share'
  | 'owner'
  | 'no-instance'
  | 'fallback'

export interface Decision {
  readonly side: Side
  readonly reason: Reason
}

/** What a request says of itself, as far as the decision needs it. */
export interface Facts {
  /** The side a signed override asks for. */
  readonly override: Side | null
  /** Control-database time (ms) of the client's last write to the context, margin included. */
  readonly writtenUntil: number | null
  readonly userId: string | undefined
  readonly sessionId: string | undefined
  /** Whether there is a token that cannot be checked now: who this is will be known again later. */
  readonly isUnchecked?: boolean
}

/** Whether a context's reads flag is on for this client: the flag SDK's own answer. */
export type ReadsFlag = (
  context: string,
  who: { readonly userId: string | undefined; readonly sessionId: string | undefined },
) => boolean

export const NO_FACTS: Facts = { override: null, writtenUntil: null, userId: undefined, sessionId: undefined }

/** The phases in which both sides hold the whole of a context's data, so that either may answer reads. */
export const BOTH_SIDES_READ = new Set(['ready', 'switching', 'aborting', 'switched'])

/**
 * Which side answers a request. Pure: the same arguments give the same decision.
 *
 * Writes go to the owner, and nothing moves them. Reads go to the owner too, unless both sides hold the data and a
 * signed override or the reads flag sends them to the service. The flag only ever adds the service: once the service
 * owns the context, a share of 0 or a missing flag leaves its reads with the owner instead of turning them back.
 */
export function decide(route: Route | null, ownership: Ownership | undefined, flag: ReadsFlag, facts: Facts): Decision {
  if (route === null) return { side: 'monolith', reason: 'no-route' }
  if (ownership === undefined) return { side: 'monolith', reason: 'unknown-context' }
  const owner = ownership.owner
  if (route.access === 'write') return { side: owner, reason: 'write' }
  if (facts.override !== null) return { side: facts.override, reason: 'override' }
  if (!BOTH_SIDES_READ.has(ownership.phase)) return { side: owner, reason: 'no-move' }
  if (ownership.reads === 'owner') return { side: owner, reason: 'kill-switch' }
  if (isAhead(facts.writtenUntil, ownership.heartbeatApplied)) return { side: owner, reason: 'read-your-writes' }
  // Taken for another than before, they might change sides; the owner lacks nothing that the other side may have shown.
  if (facts.isUnchecked) return { side: owner, reason: 'unchecked-token' }
  if (flag(route.context, facts)) return { side: 'service', reason: 'share' }
  return { side: owner, reason: 'owner' }
}

/** Whether this request's reads could be answered by either side, so that cookies and token are worth looking at. */
export function isSplit(route: Route | null, ownership: Ownership | undefined): boolean {
  return (
    route !== null &&
    route.access === 'read' &&
    ownership !== undefined &&
    ownership.reads === 'flag' &&
    BOTH_SIDES_READ.has(ownership.phase)
  )
}

/** Whether a client wrote what the other side may not have yet. */
export function isAhead(writtenUntil: number | null, heartbeatApplied: Date | null): boolean {
  if (writtenUntil === null) return false
  return heartbeatApplied === null || heartbeatApplied.getTime() <= writtenUntil
}
