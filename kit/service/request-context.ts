/** What follows a request through every await: its id and its W3C trace context, for logs, calls and events. */
import { AsyncLocalStorage } from 'node:async_hooks'

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
