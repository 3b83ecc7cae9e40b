import type { Gate } from './gate.ts'

// A hold is a lease of its own: whatever becomes of the mover, a client waits at most as long as this says.

export interface HoldLimits {
  /** Milliseconds from when this proxy first saw the hold, after which nobody waits for it any more. */
  readonly leaseMs: number
  /** Requests that wait at once. */
  readonly requests: number
  /** Bytes of their bodies that are in memory. */
  readonly bytes: number
}

export const HOLD_LIMITS: HoldLimits = { leaseMs: 8_000, requests: 1_000, bytes: 64 * 1024 * 1024 }

/** How a wait ended: the way is open, the hold or the deadline ran out, there was no room, or the client left. */
export type Waited = 'open' | 'refuse' | 'expired' | 'full' | 'gone'

export interface Waiter {
  readonly contexts: readonly string[]
  readonly bytes: number
  /** Milliseconds of `performance.now()` at which the request's own deadline ends. */
  readonly deadlineAt: number
  gate(): Gate
  /** Calls back when the client has gone. */
  onGone(callback: () => void): void
}

export interface HoldStats {
  readonly waiting: number
  readonly bytes: number
  readonly released: number
  readonly expired: number
  readonly full: number
  /** Pauses of released requests in milliseconds. */
  readonly pauses: { readonly count: number; readonly lastMs: number; readonly maxMs: number; readonly sumMs: number }
}

export interface Hold {
  /** Notes which contexts are held now; call it at every change of ownership. Looks after everybody who waits. */
  update(held: readonly string[]): void
  /** Waits until the gate opens; at once where the hold is older than its lease or there is no room. */
  wait(waiter: Waiter): Promise<Waited>
  stats(): HoldStats
  /** Age of the oldest hold that lasts, also when it is older than its lease and nobody waits any more; 0 without one. */
  lastsMs(): number
  close(): void
}

/** Requests let go together; the rest follow a moment later, so that a release is no stampede of new connections. */
const RELEASE_AT_ONCE = 100
const SWEEP_MS = 20

interface Waiting extends Waiter {
  readonly since: number
  readonly until: number
  end(how: Waited): void
}

export function createHold(options: { limits?: HoldLimits; onPause?: (ms: number) => void } = {}): Hold {
  const limits = options.limits ?? HOLD_LIMITS
  const seenAt = new Map<string, number>()
  const waiting = new Set<Waiting>()
  let bytes = 0
  let timer: NodeJS.Timeout | null = null
  const counts = { released: 0, expired: 0, full: 0, lastMs: 0, maxMs: 0, sumMs: 0 }

  const leaseEnd = (contexts: readonly string[], now: number) => {
    let earliest = Number.POSITIVE_INFINITY
    for (const context of contexts) earliest = Math.min(earliest, (seenAt.get(context) ?? now) + limits.leaseMs)
    return earliest === Number.POSITIVE_INFINITY ? now + limits.leaseMs : earliest
  }
  const sweep = () => {
    const now = performance.now()
    let released = 0
    for (const one of waiting) {
      if (now >= one.until) {
        one.end('expired')
        continue
      }
      const gate = one.gate()
      if (gate === 'refuse') one.end('refuse')
      else if (gate === 'open' && released < RELEASE_AT_ONCE) {
        released += 1
        one.end('open')
      }
    }
    if (waiting.size === 0 && timer) {
      clearInterval(timer)
      timer = null
    }
  }
  const ended = (how: Waited, since: number) => {
    if (how === 'expired') counts.expired += 1
    if (how !== 'open') return
    const pause = performance.now() - since
    counts.released += 1
    counts.lastMs = pause
    counts.sumMs += pause
    counts.maxMs = Math.max(counts.maxMs, pause)
    options.onPause?.(pause)
  }

  return {
    update(held) {
      for (const context of held) if (!seenAt.has(context)) seenAt.set(context, performance.now())
      for (const context of seenAt.keys()) if (!held.includes(context)) seenAt.delete(context)
      sweep()
    },
    wait(waiter) {
      const since = performance.now()
      const until = Math.min(leaseEnd(waiter.contexts, since), waiter.deadlineAt)
      if (since >= until) {
        counts.expired += 1
        return Promise.resolve('expired')
      }
      if (waiting.size >= limits.requests || bytes + waiter.bytes > limits.bytes) {
        counts.full += 1
        return Promise.resolve('full')
      }
      timer ??= setInterval(sweep, SWEEP_MS)
      bytes += waiter.bytes
      return new Promise((resolve) => {
        const one: Waiting = {
          ...waiter,
          since,
          until,
          gate: () => waiter.gate(),
          end(how) {
            if (!waiting.delete(one)) return
            bytes -= waiter.bytes
            ended(how, since)
            resolve(how)
          },
        }
        waiting.add(one)
        waiter.onGone(() => one.end('gone'))
      })
    },
    stats: () => ({
      waiting: waiting.size,
      bytes,
      released: counts.released,
      expired: counts.expired,
      full: counts.full,
      pauses: { count: counts.released, lastMs: counts.lastMs, maxMs: counts.maxMs, sumMs: counts.sumMs },
    }),
    lastsMs: () => (seenAt.size === 0 ? 0 : performance.now() - Math.min(...seenAt.values())),
    close() {
      for (const one of waiting) one.end('expired')
      if (timer) clearInterval(timer)
      timer = null
    },
  }
}
