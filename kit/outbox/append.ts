import { isSpanContextValid, trace } from '@opentelemetry/api'
import type { Sql } from '../sql.ts'
import { noteAppend } from './activity.ts'

export interface NewEvent {
  /** The bounded context it comes from. */
  context: string
  /** What it happened to, such as `order-17`: events of one stream are published, and handled, in order. */
  stream: string
  /** What happened, in the past tense: also the routing key, so at most 255 bytes. */
  type: string
  /** Of the payload's schema, from 1. */
  version: number
  /** Anything JSON, at most 8 MiB. */
  payload: unknown
  /** Carried along as message headers. `traceparent` is added from the active span unless given. */
  headers?: Readonly<Record<string, string>>
}

/**
 * Appends an event in the caller's transaction: it is published if, and only if, that commits.
 * Hold the lock of the row that `stream` is named after (update it, or select it for update) before appending, so that
 * ids follow the order of commits within the stream.
 * @returns the event's id, which consumers recognise it by
 */
export async function append(sql: Sql, event: NewEvent): Promise<string> {
  const { rows } = await sql.raw('select banyan.emit(?, ?, ?, ?, ?::jsonb, ?::jsonb) as event_id', [
    event.context,
    event.stream,
    event.type,
    event.version,
    JSON.stringify(event.payload ?? null),
    JSON.stringify({ ...activeTrace(), ...event.headers }),
  ])
  noteAppend()
  return rows[0].event_id
}

/** The active span as the W3C header that a consumer, minutes later, links its own span to. */
function activeTrace(): { traceparent?: string } {
  const span = trace.getActiveSpan()?.spanContext()
  if (!span || !isSpanContextValid(span)) return {}
  return { traceparent: `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, '0')}` }
}
