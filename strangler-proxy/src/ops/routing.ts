import type { OwnershipWatch } from '@banyan/kit/ownership'
import type { HoldStats } from '../hold.ts'
import type { InFlight } from '../in-flight.ts'
import type { Mirror } from '../mirror/mirror.ts'
import type { Recorder } from '../record/recorder.ts'
import type { MatchRoute } from '../routes/match.ts'
import type { Upstreams } from '../upstreams.ts'

/** What the operators' listener needs to see. */
export interface RoutingSources {
  readonly ownership: OwnershipWatch
  readonly flags: {
    share(flag: string): number | null
    freshness(): { readonly lastFetchMs: number | null; readonly ok: boolean; readonly error: string | null }
    on(event: 'change', listener: () => void): () => void
  }
  readonly hold: { stats(): HoldStats }
  readonly inFlight: InFlight
  readonly upstreams: Upstreams
  readonly recorder: Recorder
  readonly mirror: Mirror
  readonly match: MatchRoute
  readonly contexts: readonly string[]
}

/** The routing as this proxy sees it now, with how old that is. */
export function showRouting(from: RoutingSources) {
  const staleMs = from.ownership.staleMs()
  return {
    ownership: {
      staleMs: Number.isFinite(staleMs) ? Math.round(staleMs) : null,
      leaseValid: from.ownership.leaseValid(),
    },
    flags: from.flags.freshness(),
    hold: from.hold.stats(),
    upstreams: from.upstreams.all(),
    recording: from.recorder.state(),
    contexts: from.contexts.map((context) => showContext(context, from)),
  }
}

function showContext(context: string, from: RoutingSources) {
  const known = from.ownership.get(context)
  const flag = { name: `${context}-reads`, share: from.flags.share(`${context}-reads`) }
  const inFlight = from.inFlight.count(context)
  if (known === undefined) return { context, phase: null, owner: 'monolith', flag, inFlight }
  const { phase, owner, hold, reads, direction, epoch, token, term, move, heartbeatApplied } = known
  return {
    context,
    phase,
    owner,
    hold,
    reads,
    direction,
    epoch: String(epoch),
    token: String(token),
    term: String(term),
    move: String(move),
    heartbeatApplied: heartbeatApplied?.toISOString() ?? null,
    flag,
    inFlight,
  }
}
