import type { Event } from '../outbox/envelope.ts'
import { runInContext } from '../service/request-context.ts'
import { type SpanOptions, withSpan } from '../service/span.ts'
import { acceptTraceparent } from '../service/traceparent.ts'
import type { Sql } from '../sql.ts'

/**
 * Runs `work` in the event's trace, where there is one: in a span that is a child of the event's sending, and with logs,
 * calls and events that say the trace even where nothing makes spans.
 */
export function traced<T>(queue: string, event: Event, work: () => Promise<T>): Promise<T> {
  const context = { requestId: event.id, traceparent: acceptTraceparent(event.headers.traceparent) }
  const attributes = {
    'messaging.system': 'rabbitmq',
    'messaging.operation.type': 'process',
    'messaging.destination.name': queue,
    'messaging.message.id': event.id,
  }
  const parent = event.headers.traceparent ?? null
  return runInContext(context, () => withSpan(`process ${event.type}`, { kind: 'consumer', parent, attributes }, work))
}

/**
 * Runs what an event causes after it was handled, such as the sending of a letter, in a span of the event's trace.
 * @param event the event, and the queue (or consumer) under which it was noted as handled
 * @param name What is done, without ids: `send e-mail`.
 */
export async function continueTrace<T>(
  sql: Sql,
  event: { id: string; consumer: string },
  name: string,
  options: SpanOptions,
  work: () => Promise<T>,
): Promise<T> {
  const found = await traceOf(sql, event)
  const context = { requestId: event.id, traceparent: acceptTraceparent(found) }
  return await runInContext(context, () => withSpan(name, { ...options, parent: found ?? null }, work))
}

/** Undefined also when nobody can say: work is not left undone for want of its trace. */
async function traceOf(sql: Sql, { id, consumer }: { id: string; consumer: string }): Promise<string | undefined> {
  try {
    const { rows } = await sql.raw('select traceparent from banyan.inbox where consumer = ? and event_id = ?', [
      consumer,
      id,
    ])
    return rows[0]?.traceparent ?? undefined
  } catch {
    return undefined
  }
}
