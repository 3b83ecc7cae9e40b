/** What shoppers see of the shop's speed and failures, in all and within windows that the tour opens. */

export type Seen = {
  /** What was asked for, e.g. `order` or `browse`. */
  action: string
  startedAt: number
  ms: number
  /** HTTP status, or undefined for a broken connection. */
  status: number | undefined
  /** The stable code of an answer that is a problem. */
  code?: string
  /** Of the requests that a switch may hold: see `Ask`. */
  mayBeHeld: boolean
  slowOfItself: boolean
}

export type Traffic = { requests: number; failed: number; p50Ms: number; p99Ms: number }

/** Over a window: the slowest request that may have been held, and all failures. */
export type WindowResult = { requests: number; failed: number; slowestHeldMs: number }

/**
 * Ends a window for what is asked from now on, and resolves when all that was under way and may have been held has its
 * answer, however late it comes: each request is bounded by itself.
 * @param switchedFrom when the switch began, by this machine's clock in milliseconds: of a request that is slow of itself
 *   only the time from then until now counts, for in no other was it held; where absent no such request counts
 */
export type CloseWindow = (switchedFrom: number | undefined) => Promise<WindowResult>

export type Measure = {
  add(seen: Seen): void
  traffic(): Traffic
  /** Failures in the order they came, at most 100: status, action, how long it took. */
  failures(): readonly Seen[]
  /** Of each request that may be held. @returns to be called when it was added */
  begin(): () => void
  open(): CloseWindow
  /** Tells of every request that ends from now on, until what is returned is called. */
  listen(tell: (seen: Seen) => void): () => void
}

/** By these a shop that is well may refuse what shoppers do. */
const REFUSALS = new Set([
  'cart-full',
  'email-taken',
  'order-cancelled',
  'order-shipped',
  'order-too-dear',
  'out-of-stock',
  'payment-declined',
  'shipment-not-found',
])

/**
 * No answer at all, 5xx, and every refusal but those: shoppers use right passwords, fresh tokens, each renewal's token
 * once, and ask for what is there. So a 401 is an account or a session that the shop has lost, a 404 a product or an
 * order, and a 421 says what no client may ever see.
 */
export function isFailure({ status, code }: Pick<Seen, 'status' | 'code'>): boolean {
  if (status === undefined) return true
  return status >= 500 || (status >= 400 && !REFUSALS.has(code ?? ''))
}

/** @returns An empty measure. Times are milliseconds. */
export function createMeasure(): Measure {
  // Counted by tenths of a millisecond up to a second, then by milliseconds: small, and exact enough for a p99.
  const counts = new Map<number, number>()
  const listeners = new Set<(seen: Seen) => void>()
  const failures: Seen[] = []
  const underWay = new Set<Promise<void>>()
  let requests = 0
  let failed = 0
  const listen = (tell: (seen: Seen) => void) => {
    listeners.add(tell)
    return () => void listeners.delete(tell)
  }
  return {
    add(seen) {
      requests += 1
      const bucket = seen.ms < 1000 ? Math.round(seen.ms * 10) / 10 : Math.round(seen.ms)
      counts.set(bucket, (counts.get(bucket) ?? 0) + 1)
      if (isFailure(seen)) {
        failed += 1
        if (failures.length < 100) failures.push(seen)
      }
      for (const tell of listeners) tell(seen)
    },
    traffic: () => ({
      requests,
      failed,
      p50Ms: quantile(counts, requests, 0.5),
      p99Ms: quantile(counts, requests, 0.99),
    }),
    failures: () => failures,
    listen,
    begin() {
      const { promise, resolve } = Promise.withResolvers<void>()
      underWay.add(promise)
      return () => {
        underWay.delete(promise)
        resolve()
      }
    },
    open() {
      const result = { requests: 0, failed: 0 }
      const writes: Seen[] = []
      const close = listen((seen) => {
        result.requests += 1
        if (isFailure(seen)) result.failed += 1
        if (seen.mayBeHeld) writes.push(seen)
      })
      return async (switchedFrom) => {
        const until = Date.now()
        await Promise.all(underWay)
        close()
        const held = writes.filter((seen) => seen.startedAt <= until).map((seen) => heldMs(seen, switchedFrom, until))
        return { ...result, slowestHeldMs: round(Math.max(0, ...held)) }
      }
    },
  }
}

/** The longest that a switch may have held it. */
function heldMs({ startedAt, ms, slowOfItself }: Seen, from = Number.POSITIVE_INFINITY, until: number): number {
  return slowOfItself ? Math.min(startedAt + ms, until) - Math.max(startedAt, from) : ms
}

function quantile(counts: Map<number, number>, total: number, share: number): number {
  let left = Math.ceil(total * share)
  for (const [ms, count] of [...counts].sort(([a], [b]) => a - b)) {
    left -= count
    if (left <= 0) return ms
  }
  return 0
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10
}
