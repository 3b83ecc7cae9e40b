/** W3C trace context as text: https://www.w3.org/TR/trace-context/#traceparent-header */
import { randomBytes } from 'node:crypto'
import type { SpanContext } from '@opentelemetry/api'

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** Digits for many ids: a call for each of them costs as much as the rest of a request's headers. */
let pool = ''
let used = 0
const POOL_BYTES = 4_096

/**
 * @param received A header from outside. Only version 00 with ids that are not all zero is taken over; anything else
 *   starts a new trace.
 * @returns The `traceparent` to work under.
 */
export function acceptTraceparent(received: string | undefined): string {
  if (isTraceparent(received)) return received
  const ids = randomHex(24)
  return `00-${ids.slice(0, 32)}-${ids.slice(32)}-01`
}

/** Whether a header may be taken over as it is. */
export function isTraceparent(received: unknown): received is string {
  return typeof received === 'string' && TRACEPARENT.test(received)
}

/** @returns A `traceparent` of the same trace for the next hop: same trace, a span id of its own. */
export function childTraceparent(traceparent: string): string {
  return `${traceparent.slice(0, 36)}${randomHex(8)}${traceparent.slice(52)}`
}

/** @returns The id of a valid `traceparent`'s trace, 32 hex digits. */
export function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 35)
}

/** A span of another process, or of an earlier time, as OpenTelemetry's API wants its parents. */
export function spanContextOf(traceparent: string): SpanContext {
  return {
    traceId: traceIdOf(traceparent),
    spanId: traceparent.slice(36, 52),
    traceFlags: Number.parseInt(traceparent.slice(53, 55), 16),
    isRemote: true,
  }
}

/** The header that makes whoever gets it a child of this span. */
export function traceparentOf({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}

function randomHex(bytes: number): string {
  if (used + bytes * 2 > pool.length) {
    pool = randomBytes(POOL_BYTES).toString('hex')
    used = 0
  }
  used += bytes * 2
  return pool.slice(used - bytes * 2, used)
}
