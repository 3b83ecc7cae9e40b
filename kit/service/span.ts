/** Spans of our own. Without an OpenTelemetry SDK in the process they record nothing and change no header. */
import { randomUUID } from 'node:crypto'
import {
  type Attributes,
  INVALID_SPAN_CONTEXT,
  isSpanContextValid,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { messageWithoutValues } from './error-values.ts'
import { currentContext, runInContext } from './request-context.ts'
import { isTraceparent, spanContextOf, traceparentOf } from './traceparent.ts'

export type SpanOptions = {
  /** What it is to other processes: nothing unless told. */
  kind?: 'internal' | 'server' | 'client' | 'producer' | 'consumer'
  attributes?: Attributes
  /** The `traceparent` of what caused it; null: nothing did. That of the request or message in hand unless told. */
  parent?: string | null | undefined
}

/** A span that was begun, and what others are to be told as their parent; undefined where nothing makes spans. */
export type Begun = { readonly span: Span; readonly traceparent: string | undefined }

const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
}
const NAME = '@banyan/kit'
const NOTHING_BEGUN: Begun = { span: trace.wrapSpanContext(INVALID_SPAN_CONTEXT), traceparent: undefined }

/** None without an SDK: the API's stand-in would come to nothing as well, at a cost that every request pays. */
function tracerOf(): Tracer | undefined {
  const provider = trace.getTracerProvider()
  return provider instanceof ProxyTracerProvider ? provider.getDelegateTracer(NAME) : provider.getTracer(NAME)
}

/** Whether something in this process makes spans. */
export function makesSpans(): boolean {
  return tracerOf() !== undefined
}

/**
 * Begins a span that somebody ends by `span.end()`.
 * @param name What is done, without ids: `publish OrderPlaced`.
 */
export function beginSpan(name: string, options: SpanOptions = {}): Begun {
  const tracer = tracerOf()
  if (tracer === undefined) return NOTHING_BEGUN
  const { kind = 'internal', attributes = {}, parent = currentContext()?.traceparent } = options
  const from = isTraceparent(parent) ? spanContextOf(parent) : undefined
  const span = tracer.startSpan(
    name,
    { kind: KINDS[kind], attributes },
    from ? trace.setSpanContext(ROOT_CONTEXT, from) : ROOT_CONTEXT,
  )
  const own = span.spanContext()
  // The API's own stand-in for an SDK hands the parent back.
  const made = isSpanContextValid(own) && own.spanId !== from?.spanId
  return { span, traceparent: made ? traceparentOf(own) : undefined }
}

/**
 * Runs `work` in a span that ends with it and remembers its error. What is logged, called and told within belongs to
 * the span.
 * @param name What is done, without ids: `relay publish`.
 */
export async function withSpan<T>(name: string, options: SpanOptions, work: (begun: Begun) => Promise<T>): Promise<T> {
  const begun = beginSpan(name, options)
  const { span, traceparent } = begun
  try {
    if (traceparent === undefined) return await work(begun)
    const requestId = currentContext()?.requestId ?? randomUUID()
    return await runInContext({ requestId, traceparent }, () => work(begun))
  } catch (error) {
    failSpan(span, error)
    throw error
  } finally {
    span.end()
  }
}

/**
 * Marks a span as failed: with the error's message, as far as no values of rows are in it, and without its stack.
 * @param error An error, or a word for what went wrong.
 */
export function failSpan(span: Span, error: unknown): void {
  const known = error instanceof Error
  span.setAttribute('error.type', known ? error.name : String(error))
  span.setStatus({ code: SpanStatusCode.ERROR, ...(known ? { message: messageWithoutValues(error) } : {}) })
}
