import { createRetryBudget, type RetryBudget, type Side } from '@banyan/kit/service'
import type { Outcome } from '../forward.ts'
import { createBreaker } from './breaker.ts'
import { dropIdle } from './idle.ts'
import { fitOnes, leastLoadedOfTwo } from './least-loaded.ts'
import type { BalanceSettings } from './settings.ts'
import { createUpstream, type Upstream } from './upstream.ts'

/** The instances of one side of a context, or of the monolith, behind one breaker and one budget of retries. */
export interface Group {
  readonly side: Side
  /** Null for the monolith, which answers for every context. */
  readonly context: string | null
  readonly budget: RetryBudget
  instances(): readonly Upstream[]
  /** Replaces the addresses; those that stay keep their connections and what is known of them. */
  set(urls: readonly string[]): void
  /** An instance for a request that these were tried for in vain; null where none is left. */
  pick(tried: readonly Upstream[]): Upstream | null
  /** Whether a request may be expected to be answered: not while the breaker is open, or every instance is out. */
  isUp(): boolean
  /** A request sets out; null: the breaker keeps it back. */
  enter(upstream: Upstream, again: boolean): Passage | null
  /** What an active check found. */
  checked(upstream: Upstream, healthy: boolean): void
  close(): void
}

/** One request on its way to an instance. */
export interface Passage {
  /** The head of an answer with this status has arrived. */
  heard(status: number): void
  /** All is over; says how it went where no head has. */
  ended(outcome: Outcome): void
}

export interface GroupEvents {
  ejected(group: Group, upstream: Upstream, why: 'failures' | 'connect' | 'health'): void
  breaker(group: Group, to: 'open' | 'closed'): void
}

/** After a connection that nobody accepted: long enough to spare the next ones, short enough for a restart. */
const UNCONNECTED_MS = 1_000

/** Answers by which an instance, or what is between, says that it cannot work. */
export const isUnavailable = (status: number): boolean => status === 502 || status === 503 || status === 504

export function createGroup(
  side: Side,
  context: string | null,
  settings: BalanceSettings,
  events: GroupEvents,
  random: () => number = Math.random,
): Group {
  let instances: readonly Upstream[] = []
  const breaker = createBreaker((to) => events.breaker(group, to))

  const putOut = (upstream: Upstream, forMs: number, why: 'failures' | 'connect') => {
    const now = performance.now()
    const wasIn = upstream.downUntil <= now
    upstream.downUntil = Math.max(upstream.downUntil, now + forMs)
    if (wasIn) events.ejected(group, upstream, why)
  }
  const failed = (upstream: Upstream, cause: 'connect' | 'other') => {
    upstream.failures += 1
    if (cause === 'connect') putOut(upstream, UNCONNECTED_MS, 'connect')
    else if (upstream.failures >= settings.ejection.failures) {
      upstream.failures = 0
      putOut(upstream, settings.ejection.forMs, 'failures')
    }
  }

  const group: Group = {
    side,
    context,
    budget: createRetryBudget(),
    instances: () => instances,
    set(urls) {
      const since = instances.length === 0 ? Number.NEGATIVE_INFINITY : performance.now()
      const before = instances
      instances = urls.map((url) => before.find((one) => one.url === url) ?? createUpstream(url, group, since))
      for (const gone of before.filter((one) => !instances.includes(one))) {
        gone.agent.leave()
        dropIdle(gone)
      }
    },
    pick(tried) {
      if (instances.length === 1) return tried.includes(instances[0]!) ? null : instances[0]!
      const now = performance.now()
      const left = tried.length === 0 ? instances : instances.filter((one) => !tried.includes(one))
      const fit = fitOnes(left, now, settings.ejection.share)
      return leastLoadedOfTwo(fit, { now, slowStartMs: settings.slowStartMs, random })
    },
    isUp() {
      if (!breaker.lets()) return false
      const now = performance.now()
      return instances.some((one) => one.healthy && one.downUntil <= now)
    },
    enter(upstream, again) {
      const verdict = breaker.enter()
      if (verdict === null) return null
      if (!again) group.budget.request()
      upstream.load += 1
      let isHeard = false
      const judge = (well: boolean | null, cause: 'connect' | 'other' = 'other') => {
        isHeard = true
        if (well) upstream.failures = 0
        else if (well === false) failed(upstream, cause)
        verdict(well)
      }
      return {
        heard: (status) => judge(!isUnavailable(status)),
        ended(outcome) {
          upstream.load -= 1
          if (isHeard) return
          if (outcome.kind === 'refused') judge(true)
          else if (outcome.kind !== 'failed' || outcome.cause === 'too-large' || outcome.cause === 'stale') judge(null)
          else judge(false, outcome.cause === 'connect' ? 'connect' : 'other')
        },
      }
    },
    checked(upstream, healthy) {
      if (upstream.healthy === healthy) return
      upstream.healthy = healthy
      if (healthy) return
      // It may be about to end: a request that is sent into a connection just being closed is lost.
      dropIdle(upstream)
      events.ejected(group, upstream, 'health')
    },
    close() {
      breaker.close()
      for (const { agent } of instances) agent.destroy()
    },
  }
  return group
}
