import { beginSpan, failSpan } from '../service/span.ts'
import type { OutboxRow } from './envelope.ts'

/** An event on its way from the outbox to the broker. */
export interface Sending {
  /** What the consumer's span is a child of: this sending, or, where nothing makes spans, whatever the row says. */
  readonly headers: Record<string, unknown>
  /** It is with the broker, or not. */
  ended(error?: unknown): void
}

/** A span from the sending to its confirm, a child of the one in which the event was appended, however long ago. */
export function traceSending(row: OutboxRow, exchange: string): Sending {
  const { traceparent: parent } = row.headers
  const { span, traceparent } = beginSpan(`publish ${row.type}`, {
    kind: 'producer',
    parent: typeof parent === 'string' ? parent : null,
    attributes: {
      'messaging.system': 'rabbitmq',
      'messaging.operation.type': 'send',
      'messaging.destination.name': exchange,
      'messaging.message.id': row.event_id,
      'banyan.outbox.waited_ms': Date.now() - row.created_at.getTime(),
    },
  })
  return {
    headers: traceparent === undefined ? row.headers : { ...row.headers, traceparent },
    ended(error) {
      if (error !== undefined) failSpan(span, error)
      span.end()
    },
  }
}
