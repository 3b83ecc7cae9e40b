import type { Reason } from './errors.ts'
import { isFinal, type SagaState, type SagaStatus } from './state.ts'

/** What the runner does next. */
export type NextStep =
  | { kind: 'do'; step: number }
  | { kind: 'undo'; step: number }
  | { kind: 'turn-back'; reason: Reason }
  | { kind: 'finish'; status: Extract<SagaStatus, 'COMPLETED' | 'COMPENSATED' | 'NEEDS_ATTENTION'>; reason?: Reason }
  | { kind: 'wait'; until: number }
  | { kind: 'rest' }

/** What of a definition the decision depends on. */
export type Shape = {
  readonly forwardOnly: boolean
  readonly undoAttempts: number
  /** Which steps have a compensation. */
  readonly undoable: readonly boolean[]
}

/**
 * Decides from the stored state alone what a saga does next. Forward in order; backward in reverse order over every
 * step that was begun and is not known to have done nothing, the one whose outcome is unknown included.
 *
 * @param now milliseconds since 1970
 */
export const nextStep = (saga: SagaState, shape: Shape, now: number): NextStep => {
  if (isFinal(saga.status)) return { kind: 'rest' }
  return saga.status === 'RUNNING' ? forward(saga, shape, now) : backward(saga, shape, now)
}

const forward = (saga: SagaState, shape: Shape, now: number): NextStep => {
  const index = saga.steps.findIndex((step) => step.status !== 'done')
  const step = saga.steps[index]
  if (step === undefined) return { kind: 'finish', status: 'COMPLETED' }
  if (saga.cancelRequested && !shape.forwardOnly) return { kind: 'turn-back', reason: saga.cancelRequested }
  if (now >= Math.min(saga.deadlineAt, step.deadlineAt ?? saga.deadlineAt)) {
    const reason = { code: 'deadline', message: `${step.name} was not through by its deadline` }
    return shape.forwardOnly ? { kind: 'finish', status: 'NEEDS_ATTENTION', reason } : { kind: 'turn-back', reason }
  }
  return now < saga.nextAt ? { kind: 'wait', until: saga.nextAt } : { kind: 'do', step: index }
}

const backward = (saga: SagaState, shape: Shape, now: number): NextStep => {
  // There is nothing that could be undone: refused, it would seem settled although its work is not done.
  if (shape.forwardOnly) return { kind: 'finish', status: 'NEEDS_ATTENTION' }
  const index = saga.steps.findLastIndex(
    (step, at) =>
      shape.undoable[at] && (step.status === 'doing' || step.status === 'done' || step.status === 'undoing'),
  )
  const step = saga.steps[index]
  if (step === undefined) return { kind: 'finish', status: 'COMPENSATED' }
  if (step.undoAttempts >= shape.undoAttempts) {
    const message = `the compensation of ${step.name} failed ${step.undoAttempts} times`
    return { kind: 'finish', status: 'NEEDS_ATTENTION', reason: { code: 'compensation-failed', message } }
  }
  return now < saga.nextAt ? { kind: 'wait', until: saga.nextAt } : { kind: 'undo', step: index }
}
