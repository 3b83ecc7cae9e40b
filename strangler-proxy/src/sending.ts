import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { type Group, isUnavailable, type Passage } from './balance/group.ts'
import type { Choice } from './choose.ts'
import type { Sending } from './forward.ts'
import type { ProxyMetrics } from './metrics.ts'
import type { Route } from './routes/route.ts'
import type { Upstream, Upstreams } from './upstreams.ts'

/** Tells an upstream how many milliseconds it has: what it answers later, nobody waits for. */
export const DEADLINE_HEADER = 'banyan-deadline-ms'

export interface Occasion {
  readonly req: IncomingMessage
  readonly route: Route | null
  readonly choice: Choice
  readonly upstream: Upstream
  readonly passage: Passage
  /** The instances that failed this request before. */
  readonly tried: readonly Upstream[]
  readonly fresh: boolean
  readonly body: Buffer | (() => Readable) | null
  /** `performance.now()` at which the client must have had the first byte. */
  readonly deadlineAt: number
  cookies(status: number): readonly string[]
  answered(from: IncomingMessage): void
}

/**
 * One sending of a request, and where else it could go. A read that could go elsewhere leaves half of its time for
 * that, and does not take an answer that says "unavailable" while the budget has a second sending in it.
 */
export function createSending(
  parts: { readonly upstreams: Upstreams; readonly metrics: Pick<ProxyMetrics, 'retryDenied'> },
  occasion: Occasion,
): { readonly sending: Sending; elsewhere(): Group | null } {
  const { req, route, choice, upstream, passage, tried, deadlineAt } = occasion
  const elsewhere = () => {
    const others = [...tried, upstream]
    const { side, context } = upstream.group
    const instance = parts.upstreams.pick(side, context, others)
    if (instance !== null) return instance.group
    const { spare } = choice
    if (spare === null || !parts.upstreams.isUp(spare, route?.context ?? null)) return null
    return parts.upstreams.pick(spare, route?.context ?? null, others)?.group ?? null
  }
  const isRead = route?.access === 'read'
  const now = performance.now()
  const tryUntil = isRead && tried.length === 0 && elsewhere() !== null ? now + (deadlineAt - now) / 2 : deadlineAt
  req.headers[DEADLINE_HEADER] = String(Math.max(1, Math.round(tryUntil - now)))
  const sending: Sending = {
    upstream,
    fresh: occasion.fresh,
    body: occasion.body,
    deadlineAt: tryUntil,
    cookies: occasion.cookies,
    takes(status) {
      passage.heard(status)
      if (!isRead || tried.length > 0 || !isUnavailable(status)) return true
      const other = elsewhere()
      if (other?.budget.spend()) return false
      if (other !== null) parts.metrics.retryDenied()
      return true
    },
    answered: occasion.answered,
  }
  return { sending, elsewhere }
}
