import { type Link, type SpanContext, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { Event } from '../outbox/envelope.ts'

/**
 * Runs `work` in a span of its own, linked to the one the event was appended in: that one ended long ago, perhaps days,
 * and a parent that long would hide what both took.
 */
export function traced<T>(queue: string, event: Event, work: () => Promise<T>): Promise<T> {
  const origin = parseTraceparent(event.headers.traceparent)
  const links: Link[] = origin ? [{ context: origin }] : []
  const attributes = {
    'messaging.system': 'rabbitmq',
    'messaging.operation.type': 'process',
    'messaging.destination.name': queue,
    'messaging.message.id': event.id,
  }
  const options = { kind: SpanKind.CONSUMER, links, attributes }
  return trace.getTracer('@banyan/kit/inbox').startActiveSpan(`process ${event.type}`, options, async (span) => {
    try {
      return await work()
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: String(error) })
      throw error
    } finally {
      span.end()
    }
  })
}

function parseTraceparent(header: string | undefined): SpanContext | undefined {
  const match = /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/.exec(header ?? '')
  if (!match) return undefined
  return { traceId: match[1]!, spanId: match[2]!, traceFlags: Number.parseInt(match[3]!, 16), isRemote: true }
}
