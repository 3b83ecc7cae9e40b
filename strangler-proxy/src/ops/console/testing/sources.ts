import type { ownershipOf } from '../../../../test-support/start-proxy.ts'
import type { RoutingSources } from '../../routing.ts'

export const SAMPLE = {
  ...{ id: 'one', at: '2026-01-02T03:04:05.000Z', context: 'goods', route: 'GET /api/goods' },
  ...{ method: 'GET', url: '/api/goods', headers: {}, signedIn: false, owner: 'monolith' },
  answers: { owner: { status: 200, body: { price: 995 } }, other: { status: 200, body: { price: 1_095 } } },
  differences: [{ path: 'body.price', kind: 'value', left: 995, right: 1_095 }],
}
/** Mismatches so far, and the samples of them. */
export type Mirrored = { mismatched: number; samples: object[] }
const COMPARED = { mirrored: 7, compared: 6, alikeAtLeast: 0.4365, waitsFor: null, dropped: { full: 1 } }
const GROUP = {
  ...{ side: 'service', context: 'goods', isUp: () => true },
  instances: () => [
    { url: 'http://one', healthy: true, downUntil: 0, load: 2 },
    { url: 'http://two', healthy: true, downUntil: Number.POSITIVE_INFINITY, load: 0 },
    { url: 'http://three', healthy: false, downUntil: 0, load: 0 },
  ],
}

/** What a proxy finds of itself, for a test to change. */
export interface Seen {
  staleMs: number
  leaseValid: boolean
  flagsError: string | null
  share: number | null
  held: number
  recording: boolean
}
export const WELL: Seen = { staleMs: 10, leaseValid: true, flagsError: null, share: 5, held: 0, recording: false }

/** Who listens to changes of what. */
export type Changes = Record<'ownership' | 'flags', () => void>

/** What a proxy knows of itself, as far as the console shows it. */
export function sourcesOf(
  known: Map<string, ReturnType<typeof ownershipOf>>,
  changes: Changes,
  mirrored: Mirrored = { mismatched: 1, samples: [SAMPLE] },
  seen: Seen = WELL,
) {
  const on = (what: keyof Changes) => (_change: string, listener: () => void) => {
    changes[what] = listener
    return () => undefined
  }
  return {
    ownership: {
      get: (context: string) => known.get(context),
      staleMs: () => seen.staleMs,
      leaseValid: () => seen.leaseValid,
      on: on('ownership'),
    },
    flags: {
      share: () => seen.share,
      freshness: () => ({ lastFetchMs: 1, ok: seen.flagsError === null, error: seen.flagsError }),
      on: on('flags'),
    },
    hold: { stats: () => ({ waiting: seen.held }) },
    inFlight: { count: () => 0 },
    upstreams: { all: () => ({ monolith: [] }), groups: () => [GROUP] },
    recorder: { state: () => ({ on: seen.recording }) },
    mirror: {
      state: () => ({ ...COMPARED, mismatched: mirrored.mismatched }),
      samples: { list: () => mirrored.samples },
    },
    get contexts() {
      return [...known.keys()]
    },
  } as unknown as RoutingSources
}
