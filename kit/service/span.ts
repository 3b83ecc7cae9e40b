/** Spans of our own; without an OpenTelemetry SDK in the process they cost next to nothing. */
import { type Attributes, SpanStatusCode, trace } from '@opentelemetry/api'

/**
 * Runs `work` in a span that ends with it and remembers its error.
 * @param name What is done, without ids: `relay publish`.
 */
export async function withSpan<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T> {
  return await trace.getTracer('banyan').startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work()
    } catch (error) {
      span.recordException(error instanceof Error ? error : String(error))
      span.setStatus({ code: SpanStatusCode.ERROR })
      throw error
    } finally {
      span.end()
    }
  })
}
