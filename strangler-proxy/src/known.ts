import type { Health } from '@banyan/kit/service'
import type { ProxyProblem } from './problem.ts'
import type { Route } from './routes/route.ts'

// Before its first read of ownership a proxy knows nothing, which is not the same as a context at rest: the monolith's
// tables may be a copy that trails behind, or what is left of one. Once anything was read, the last known owner counts.

/** Refuses what a rule gives to a context, for as long as ownership was never read. */
export function whileUnknown(route: Route | null, ownership: { staleMs(): number }): ProxyProblem | null {
  return route !== null && ownership.staleMs() === Number.POSITIVE_INFINITY ? OWNER_UNKNOWN : null
}

/** The same health, ready only once something is known. */
export function readyOnce(known: Promise<void>, health: Health): Health {
  let asked = false
  let isKnown = false
  known.then(
    () => {
      isKnown = true
      health.setReady(asked)
    },
    () => undefined,
  )
  return {
    routes: health.routes,
    setReady(now) {
      asked = now
      health.setReady(asked && isKnown)
    },
    isReady: () => health.isReady(),
  }
}

const OWNER_UNKNOWN: ProxyProblem = {
  status: 503,
  code: 'owner-unknown',
  detail: 'This proxy has just started and does not know yet who owns this data. Nothing was done; send it again.',
  retryAfter: 1,
}
