import type { Side } from '@banyan/kit/service'
import { createGroup, type Group, type GroupEvents } from './balance/group.ts'
import { closeIdle } from './balance/idle.ts'
import { BALANCE, type BalanceSettings } from './balance/settings.ts'
import type { Upstream } from './balance/upstream.ts'

export type { Upstream } from './balance/upstream.ts'

/** The instances of all sides: the monolith's, which are one for every context, and those of each context's service. */
export interface Upstreams {
  /** An instance of a side, of those that were not tried; null where none is known or left. */
  pick(side: Side, context: string | null, tried?: readonly Upstream[]): Upstream | null
  /** Whether a side may be expected to answer. */
  isUp(side: Side, context: string | null): boolean
  /** Replaces the addresses of the monolith, as its names resolve. */
  setMonolith(urls: readonly string[]): void
  /** Replaces the addresses of a context's service, as the instances table or its name shows them. */
  setService(context: string, urls: readonly string[]): void
  groups(): readonly Group[]
  /** What is known, for the routing page. */
  all(): Record<string, readonly string[]>
  close(): void
}

const NOBODY: readonly Upstream[] = []
const unheard: GroupEvents = { ejected: () => undefined, breaker: () => undefined }

/**
 * Addresses come from configuration, names in it and the control database only, never from a request; the monolith's
 * may be none.
 * @throws for an address that is not http://
 */
export function createUpstreams(
  monolith: readonly string[],
  services: Readonly<Record<string, string>>,
  settings: BalanceSettings = BALANCE,
  events: GroupEvents = unheard,
): Upstreams {
  const monoliths = createGroup('monolith', null, settings, events)
  const byContext = new Map<string, Group>()
  const serviceOf = (context: string): Group => {
    const known = byContext.get(context)
    if (known !== undefined) return known
    const made = createGroup('service', context, settings, events)
    byContext.set(context, made)
    return made
  }
  monoliths.set(monolith)
  for (const [context, url] of Object.entries(services)) serviceOf(context).set([url])
  const groupOf = (side: Side, context: string | null) =>
    side === 'monolith' ? monoliths : context === null ? undefined : byContext.get(context)
  const urlsOf = (group: Group) => group.instances().map((one) => one.url)
  const groups = () => [monoliths, ...byContext.values()]
  const idle = closeIdle(groups)
  return {
    pick: (side, context, tried = NOBODY) => groupOf(side, context)?.pick(tried) ?? null,
    isUp: (side, context) => groupOf(side, context)?.isUp() ?? false,
    setMonolith: (urls) => monoliths.set(urls),
    setService: (context, urls) => serviceOf(context).set(urls),
    groups,
    all: () => ({
      monolith: urlsOf(monoliths),
      ...Object.fromEntries([...byContext].map(([context, group]) => [context, urlsOf(group)])),
    }),
    close: () => {
      idle.close()
      for (const group of groups()) group.close()
    },
  }
}
