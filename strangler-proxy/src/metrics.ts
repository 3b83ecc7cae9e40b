import { createMetrics, type Metrics } from '@banyan/kit/service'
import { Gauge } from 'prom-client'
import type { Group } from './balance/group.ts'
import type { Decision } from './decide.ts'
import type { Outcome } from './forward.ts'
import type { Waited } from './hold.ts'
import { counted, gauge, type Registers, timed } from './instruments.ts'
import type { Counts } from './mirror/counts.ts'

/** What the proxy counts. */
export interface ProxyMetrics {
  readonly http: Metrics
  decided(decision: Decision, context: string | null): void
  answered(side: string, status: number, ms: number): void
  /** What became of sending a read to a side: what two sides are held against each other by. */
  read(context: string, side: string, outcome: Outcome, ms: number): void
  resent(why: 'refused' | 'connection' | 'timeout' | 'unavailable'): void
  /** A request was not sent again because too many others were. */
  retryDenied(): void
  refused(code: string): void
  /** An address or an account had sent too many requests. */
  limited(by: 'address' | 'account'): void
  /** An instance gets no requests for now. */
  ejected(group: Named, why: string): void
  /** The breaker in front of a side opened or closed. */
  breaker(group: Named, to: 'open' | 'closed'): void
  paused(ms: number): void
  /** A request waits no more at a hold, or found that it may not. */
  holdEnded(how: Waited): void
  recorded(what: 'written' | 'dropped'): void
  readonly mirror: Omit<Counts, 'of'>
}

type Named = Pick<Group, 'side' | 'context'>

export interface Readings {
  inFlight(): number
  held(): number
  holdLastsMs(): number
  staleMs(): number
  leaseValid(): boolean
  flagsStaleMs(): number
  groups(): readonly Group[]
  /** Whoever else wants to know of each answer. */
  answered?(side: string, status: number, ms: number): void
}

/** From 1 ms on, each half as long again: fine enough to tell a 99th percentile that is worse from one that is not. */
const FINE_SECONDS = Array.from({ length: 27 }, (_, step) => Number((0.001 * 1.5 ** step).toPrecision(3)))
const CLASSES = [undefined, '1xx', '2xx', '3xx', '4xx', '5xx']
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export function createProxyMetrics(read: Readings): ProxyMetrics {
  const http = createMetrics()
  const registers = [http.registry]
  const decisions = counted(registers, 'proxy_decisions_total', 'Requests by side, reason and context', [
    'side',
    'reason',
    'context',
  ])
  const resends = counted(registers, 'proxy_resends_total', 'Requests sent again, by cause', ['why'])
  const denied = counted(registers, 'proxy_retries_denied_total', 'Requests not sent again for want of budget', [])
  const refusals = counted(registers, 'proxy_refusals_total', 'Requests the proxy answered itself, by code', ['code'])
  const limits = counted(registers, 'proxy_rate_limited_total', 'Requests beyond a rate, by whose', ['by'])
  const recordings = counted(registers, 'proxy_recorded_total', 'Exchanges for the recorder, by what became of them', [
    'what',
  ])
  const mirrored = counted(registers, 'proxy_mirrored_total', 'Reads that went to the other side as well', ['context'])
  const unmirrored = counted(registers, 'proxy_mirror_dropped_total', 'Reads that were to be mirrored, and why not', [
    'context',
    'reason',
  ])
  const compared = counted(registers, 'proxy_mirror_compared_total', 'Mirrored reads by what comparing them showed', [
    'context',
    'route',
    'verdict',
  ])
  const ejections = counted(registers, 'proxy_ejections_total', 'Instances taken out, by what was seen', [
    'side',
    'context',
    'why',
  ])
  const breakers = counted(registers, 'proxy_breaker_changes_total', 'Breakers that opened and closed', [
    'side',
    'context',
    'to',
  ])
  const holds = counted(registers, 'proxy_holds_total', 'Requests that met a hold, by how it ended for them', ['how'])
  instancesGauge(registers, read)
  const answers = timed(
    registers,
    'proxy_request_duration_seconds',
    'Time to the end of the answer, by side and class of status',
    ['side', 'status'],
    SECONDS,
  )
  const reads = timed(
    registers,
    'proxy_read_duration_seconds',
    'Reads sent to a side, to the end of the answer; failed: no answer, or a status of 500 and above',
    ['context', 'side', 'result'],
    FINE_SECONDS,
  )
  const pauses = timed(
    registers,
    'proxy_hold_pause_seconds',
    'How long a held request waited before it was let go',
    [],
    SECONDS,
  )
  gauge(registers, 'proxy_requests_in_flight', 'Requests on their way that write a context', read.inFlight)
  gauge(registers, 'proxy_requests_held', 'Requests that wait for a hold to end', read.held)
  gauge(registers, 'proxy_hold_seconds', 'Age of the oldest hold known; 0 without one', () => read.holdLastsMs() / 1000)
  gauge(registers, 'proxy_ownership_stale_seconds', 'Age of what is known of ownership', () => read.staleMs() / 1000)
  gauge(registers, 'proxy_flags_stale_seconds', 'Age of what is known of the flags', () => read.flagsStaleMs() / 1000)
  gauge(registers, 'proxy_lease_valid', 'Whether the mover still waits for this proxy', () => Number(read.leaseValid()))
  return {
    http,
    decided: ({ side, reason }, context) => decisions(side, reason, context ?? ''),
    answered(side, status, ms) {
      read.answered?.(side, status, ms)
      answers(ms, side, CLASSES[Math.floor(status / 100)] ?? 'other')
    },
    read(context, side, outcome, ms) {
      // A client that went away, and a side that did nothing, say nothing of how the side does.
      if (outcome.kind === 'gone' || outcome.kind === 'refused') return
      const failed = outcome.kind === 'failed' || outcome.status >= 500
      reads(ms, context, side, failed ? 'failed' : 'ok')
    },
    resent: (why) => resends(why),
    retryDenied: () => denied(),
    recorded: (what) => recordings(what),
    mirror: { mirrored, dropped: unmirrored, judged: compared },
    refused: (code) => refusals(code),
    limited: (by) => limits(by),
    ejected: ({ side, context }, why) => ejections(side, context ?? '', why),
    breaker: ({ side, context }, to) => breakers(side, context ?? '', to),
    paused: (ms) => pauses(ms),
    holdEnded: (how) => holds(how),
  }
}

/** Instances by side and context: `up`, `unhealthy` by the checks, `ejected` for their failures. */
function instancesGauge(registers: Registers, read: Readings): void {
  new Gauge({
    name: 'proxy_instances',
    help: 'Instances known, by state',
    labelNames: ['side', 'context', 'state'],
    registers,
    collect() {
      this.reset()
      const now = performance.now()
      for (const group of read.groups()) {
        const count = { up: 0, unhealthy: 0, ejected: 0 }
        for (const one of group.instances()) {
          if (!one.healthy) count.unhealthy += 1
          else if (one.downUntil > now) count.ejected += 1
          else count.up += 1
        }
        for (const [state, many] of Object.entries(count)) this.labels(group.side, group.context ?? '', state).set(many)
      }
    },
  })
}
