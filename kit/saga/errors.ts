import { withoutValues } from '../service/error-values.ts'

/**
 * Why a saga turned back, or stopped. `detail` holds what the answer to a client needs; `before` is why a saga had turned
 * back that stopped on its way.
 */
export type Reason = { code: string; message: string; detail?: unknown; before?: Reason }

/** Thrown by an act that was refused for good, having done nothing: the saga turns back at once. */
export class SagaRefusal extends Error {
  readonly code: string
  readonly detail: unknown

  constructor(code: string, message: string, detail?: unknown) {
    super(message)
    this.name = 'SagaRefusal'
    this.code = code
    this.detail = detail
  }
}

/** Thrown by an act that did nothing because its callee is closed for a moment: waited for, not counted. */
export class SagaLater extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'SagaLater'
  }
}

/** A mistake in how sagas are defined or asked for. */
export class SagaError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.name = 'SagaError'
    this.code = code
  }
}

/** How an act ended. `failed`: nobody knows whether it was done. */
export type Outcome =
  | { kind: 'done'; patch: Record<string, unknown> }
  | { kind: 'refused'; reason: Reason }
  | { kind: 'later'; message: string }
  | { kind: 'failed'; message: string }

/** Grades an error by its consequence; whatever is not known to have done nothing may have done it. */
export const gradeError = (error: unknown): Exclude<Outcome, { kind: 'done' }> => {
  if (error instanceof SagaRefusal)
    return { kind: 'refused', reason: { code: error.code, message: error.message, detail: error.detail } }
  if (error instanceof SagaLater) return { kind: 'later', message: error.message }
  return { kind: 'failed', message: error instanceof Error ? withoutValues(error).message : String(error) }
}
