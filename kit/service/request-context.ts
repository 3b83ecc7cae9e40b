/** What follows a request through every await: its id and its W3C trace context, for logs, calls and events. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomBytes } from 'node:crypto'

export type RequestContext = { readonly requestId: string; readonly traceparent: string }

const store = new AsyncLocalStorage<RequestContext>()

/** @returns The context of the request (or message) being handled, if there is one. */
export function currentContext(): RequestContext | undefined {
  return store.getStore()
}

/** Runs `work` so that its logs, calls and events carry `context`. */
export function runInContext<T>(context: RequestContext, work: () => T): T {
  return store.run(context, work)
}

/** @returns The id of a valid `traceparent`'s trace, 32 hex digits. */
export function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 35)
}

/**
 * @param received A header from outside. Only version 00 with ids that are not all zero is taken over
 *   (https://www.w3.org/TR/trace-context/#traceparent-header); anything else starts a new trace.
 * @returns The `traceparent` to work under.
 */
export function acceptTraceparent(received: string | undefined): string {
  if (received && /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.test(received)) return received
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`
}

/** @returns A `traceparent` of the same trace for the next hop: same trace, a span id of its own. */
export function childTraceparent(traceparent: string): string {
  return `${traceparent.slice(0, 36)}${randomBytes(8).toString('hex')}${traceparent.slice(52)}`
}
