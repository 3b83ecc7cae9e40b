import { isSpanContextValid, trace } from '@opentelemetry/api'
import { currentContext } from '../service/request-context.ts'
import { traceparentOf } from '../service/traceparent.ts'
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
  /** Carried along as message headers. `traceparent` is that of the request or event in hand unless given. */
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
    JSON.stringify({ ...traceInHand(), ...event.headers }),
  ])
  noteAppend()
  return rows[0].event_id
}

/** What the event's sending, and whatever it causes minutes later, is a child of. */
function traceInHand(): { traceparent?: string } {
  const context = currentContext()
  if (context) return { traceparent: context.traceparent }
  // In a process that has another chassis than ours, and an SDK of its own.
  const span = trace.getActiveSpan()?.spanContext()
  return span && isSpanContextValid(span) ? { traceparent: traceparentOf(span) } : {}
}
