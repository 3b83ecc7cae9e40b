import type { ownershipOf } from '../../../../test-support/start-proxy.ts'
import type { RoutingSources } from '../../routing.ts'

export const SAMPLE = {
  ...{ context: 'goods', method: 'GET', url: '/api/goods' },
  ...{ headers: {}, signedIn: false, differences: [] },
}
const GROUP = {
  ...{ side: 'service', context: 'goods', isUp: () => true },
  instances: () => [
    { url: 'http://one', healthy: true, downUntil: 0, load: 2 },
    { url: 'http://two', healthy: true, downUntil: Number.POSITIVE_INFINITY, load: 0 },
    { url: 'http://three', healthy: false, downUntil: 0, load: 0 },
  ],
}

/** Who listens to changes of what. */
export type Changes = Record<'ownership' | 'flags', () => void>

/** What a proxy knows of itself, as far as the console shows it. */
export function sourcesOf(known: Map<string, ReturnType<typeof ownershipOf>>, changes: Changes) {
  const on = (what: keyof Changes) => (_change: string, listener: () => void) => {
    changes[what] = listener
    return () => undefined
  }
  return {
    ownership: {
      get: (context: string) => known.get(context),
      staleMs: () => 10,
      leaseValid: () => true,
      on: on('ownership'),
    },
    flags: { share: () => 5, freshness: () => ({ lastFetchMs: 1, ok: true, error: null }), on: on('flags') },
    hold: { stats: () => ({ waiting: 0 }) },
    inFlight: { count: () => 0 },
    upstreams: { all: () => ({ monolith: [] }), groups: () => [GROUP] },
    recorder: { state: () => ({ on: false }) },
    mirror: { state: () => ({ mirrored: 7, mismatched: 1 }), samples: { list: () => [SAMPLE] } },
    contexts: ['goods'],
  } as unknown as RoutingSources
}
