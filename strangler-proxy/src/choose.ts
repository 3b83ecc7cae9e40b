import type { Ownership } from '@banyan/kit/ownership'
import { type Decision, decide, type Facts, type ReadsFlag } from './decide.ts'
import type { Route } from './routes/route.ts'
import type { Upstream, Upstreams } from './upstreams.ts'

/**
 * The decision, and the address that carries it out. A read that was sent aside while no instance is up there goes to
 * the owner instead; anything else without an address is null.
 */
export function choose(
  route: Route | null,
  ownership: { get(context: string): Ownership | undefined },
  flag: ReadsFlag,
  facts: Facts,
  upstreams: Upstreams,
): { readonly decision: Decision; readonly upstream: Upstream | null } {
  const context = route?.context ?? null
  const known = context === null ? undefined : ownership.get(context)
  const decision = decide(route, known, flag, facts)
  const upstream = upstreams.pick(decision.side, context)
  if (upstream !== null || route?.access !== 'read' || known === undefined || decision.side === known.owner) {
    return { decision, upstream }
  }
  return { decision: { side: known.owner, reason: 'no-instance' }, upstream: upstreams.pick(known.owner, context) }
}
