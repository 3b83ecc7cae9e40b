import type { Ownership } from '@banyan/kit/ownership'
import type { Side } from '@banyan/kit/service'
import { type Decision, decide, type Facts, type ReadsFlag } from './decide.ts'
import { spareSide } from './fallback.ts'
import type { Route } from './routes/route.ts'
import type { Upstream, Upstreams } from './upstreams.ts'

export interface Choice {
  readonly decision: Decision
  /** The address that carries it out; null: none is known, or all were tried. */
  readonly upstream: Upstream | null
  /** The side that may answer should this one fail. */
  readonly spare: Side | null
}

interface OwnershipNow {
  get(context: string): Ownership | undefined
  now(): Date
}

const NOBODY: readonly Upstream[] = []

/**
 * The decision, and the address that carries it out. A read whose side has no instance, is known to be down, or was
 * tried in vain goes to the other side where that may answer in its place.
 */
export function choose(
  route: Route | null,
  ownership: OwnershipNow,
  flag: ReadsFlag,
  facts: Facts,
  upstreams: Upstreams,
  tried: readonly Upstream[] = NOBODY,
): Choice {
  const context = route?.context ?? null
  const known = context === null ? undefined : ownership.get(context)
  const decision = decide(route, known, flag, facts)
  const upstream = upstreams.pick(decision.side, context, tried)
  if (route?.access !== 'read' || known === undefined) return { decision, upstream, spare: null }
  // Who asked for a side wants to see that side, as long as there is one.
  const stays = decision.reason === 'override' && upstream !== null
  const spare = stays ? null : spareSide(decision, known, facts, () => ownership.now())
  if (spare === null || (upstream !== null && upstreams.isUp(decision.side, context)))
    return { decision, upstream, spare }
  const other = upstreams.pick(spare, context, tried)
  if (other === null || (upstream !== null && !upstreams.isUp(spare, context))) return { decision, upstream, spare }
  const reason = upstream === null && tried.length === 0 ? 'no-instance' : 'fallback'
  return { decision: { side: spare, reason }, upstream: other, spare: null }
}
