import { wilson } from '@banyan/kit/parity/answers'
import type { Verdict } from './copy.ts'

/** Why a read that was to be mirrored was not. */
export type Dropped =
  | 'not-in-step'
  | 'behind'
  /** The owner failed, or the answer broke off. */
  | 'answer'
  | 'size'
  | 'full'
  | 'no-instance'
  /** The comparing thread broke, or has just broken. */
  | 'broken'

export interface RouteCounts {
  readonly route: string
  readonly verdicts: Readonly<Partial<Record<Verdict, number>>>
  readonly compared: number
  readonly mismatched: number
  /** Of all such reads, the share that is not told apart from the owner's: at least this, at a confidence of 95 %. */
  readonly alikeAtLeast: number
}

export interface ContextCounts extends Omit<RouteCounts, 'route'> {
  readonly mirrored: number
  readonly dropped: Readonly<Partial<Record<Dropped, number>>>
  readonly routes: readonly RouteCounts[]
}

export interface Counts {
  mirrored(context: string): void
  dropped(context: string, why: Dropped): void
  judged(context: string, route: string, verdict: Verdict): void
  of(context: string): ContextCounts
}

/** What became of the reads of each context since the proxy started. @param on is told each, for the metrics */
export function createCounts(on: Omit<Counts, 'of'>): Counts {
  const known = new Map<string, ReturnType<typeof begin>>()
  const begin = () => ({ mirrored: 0, dropped: {} as Record<string, number>, routes: {} as Record<string, Tallied> })
  const countsOf = (context: string) => {
    const counts = known.get(context) ?? begin()
    known.set(context, counts)
    return counts
  }
  return {
    mirrored(context) {
      countsOf(context).mirrored++
      on.mirrored(context)
    },
    dropped(context, why) {
      const { dropped } = countsOf(context)
      dropped[why] = (dropped[why] ?? 0) + 1
      on.dropped(context, why)
    },
    judged(context, route, verdict) {
      const { routes } = countsOf(context)
      const verdicts = routes[route] ?? {}
      routes[route] = verdicts
      verdicts[verdict] = (verdicts[verdict] ?? 0) + 1
      on.judged(context, route, verdict)
    },
    of(context) {
      const { mirrored, dropped, routes } = countsOf(context)
      const all: Tallied = {}
      for (const verdicts of Object.values(routes))
        for (const [verdict, times] of Object.entries(verdicts) as [Verdict, number][])
          all[verdict] = (all[verdict] ?? 0) + times
      return {
        mirrored,
        dropped: { ...dropped },
        ...shareOf(all),
        routes: Object.entries(routes).map(([route, verdicts]) => ({ route, ...shareOf(verdicts) })),
      }
    },
  }
}

type Tallied = Partial<Record<Verdict, number>>

function shareOf(verdicts: Tallied): Omit<RouteCounts, 'route'> {
  const { same = 0, noise = 0, healed = 0, mismatch: mismatched = 0 } = verdicts
  const compared = same + noise + healed + mismatched
  return { verdicts: { ...verdicts }, compared, mismatched, alikeAtLeast: 1 - wilson(mismatched, compared)[1] }
}
