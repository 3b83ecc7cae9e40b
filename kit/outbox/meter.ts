import type { PublishFault } from '../broker/errors.ts'

export interface RelayStats {
  /** Whether this process publishes, or stands by. */
  leading: boolean
  /** Unpublished rows; counting stops at 100,000. Measured each second, by leader and standby alike. */
  backlog: number
  /** Age of the oldest unpublished row, in milliseconds. */
  oldestAgeMs: number
  /** Since this relay was started. */
  published: number
  purged: number
  failed: Record<PublishFault, number>
  /** Streams that wait after a failure. */
  troubledStreams: number
  /** From append to confirm in milliseconds, of the last thousand events, by the clocks of database and process. */
  confirmLatencyMs: { p50: number; p99: number }
}

export interface Meter {
  stats(): RelayStats
  leading(leads: boolean): void
  measured(backlog: number, oldestAgeMs: number): void
  confirmed(appendedAt: Date): void
  marked(rows: number): void
  purged(rows: number): void
  troubled(streams: number): void
  /** Answers whether this failure should be logged: each fault and type once in ten seconds. */
  failed(fault: PublishFault, type: string): boolean
}

const SAMPLES = 1_000
const LOG_EVERY_MS = 10_000

export function createMeter(): Meter {
  const failed: Record<PublishFault, number> = { nack: 0, returned: 0, timeout: 0, lost: 0, closed: 0 }
  const latencies: number[] = []
  const loggedAt = new Map<string, number>()
  const now = { leading: false, backlog: 0, oldestAgeMs: 0, published: 0, purged: 0, troubledStreams: 0 }
  let next = 0

  return {
    stats: () => ({ ...now, failed: { ...failed }, confirmLatencyMs: percentiles(latencies) }),
    leading(leads) {
      now.leading = leads
      if (!leads) now.troubledStreams = 0
    },
    measured(backlog, oldestAgeMs) {
      Object.assign(now, { backlog, oldestAgeMs })
    },
    confirmed(appendedAt) {
      latencies[next] = Math.max(0, Date.now() - appendedAt.getTime())
      next = (next + 1) % SAMPLES
    },
    marked(rows) {
      now.published += rows
    },
    purged(rows) {
      now.purged += rows
    },
    troubled(streams) {
      now.troubledStreams = streams
    },
    failed(fault, type) {
      failed[fault]++
      const key = `${fault} ${type}`
      const last = loggedAt.get(key)
      if (last !== undefined && Date.now() - last < LOG_EVERY_MS) return false
      loggedAt.set(key, Date.now())
      return true
    },
  }
}

function percentiles(samples: readonly number[]): { p50: number; p99: number } {
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  return { p50: at(0.5), p99: at(0.99) }
}
