import { currentContext, runInContext } from '../service/request-context.ts'
import { acceptTraceparent } from '../service/traceparent.ts'
import type { SagaState } from './state.ts'

/** Runs a part of a saga in the trace of the request that began it, also in a process that resumes it. */
export const inSagaTrace = <T>(saga: SagaState, work: () => T): T => {
  const { traceparent } = saga.history[0] ?? {}
  if (traceparent === undefined || currentContext()) return work()
  return runInContext({ requestId: saga.id, traceparent: acceptTraceparent(traceparent) }, work)
}
