import type { SagaData } from './define.ts'
import type { Reason } from './errors.ts'

/** COMPENSATED only when every compensation went through; NEEDS_ATTENTION when one did not: a person must look. */
export type SagaStatus = 'RUNNING' | 'COMPENSATING' | 'COMPLETED' | 'COMPENSATED' | 'NEEDS_ATTENTION'

/**
 * waiting: not begun · doing: begun, outcome unknown · done · refused: known not to have been done ·
 * undoing: its compensation was begun · undone.
 */
export type StepStatus = 'waiting' | 'doing' | 'done' | 'refused' | 'undoing' | 'undone'

/** Stored before the call it speaks of. Times are milliseconds since 1970. */
export type StepState = {
  name: string
  status: StepStatus
  attempts: number
  undoAttempts: number
  deadlineAt: number | null
}

/**
 * One line of an instance's timeline. Repeated failures of a step are one line with a count. The first one says the
 * trace that the saga was begun in.
 */
export type Happening = {
  at: number
  what: string
  step?: string
  note?: string
  times?: number
  traceparent?: string | undefined
}

export type SagaState = {
  id: string
  saga: string
  status: SagaStatus
  data: SagaData
  steps: StepState[]
  reason: Reason | null
  cancelRequested: Reason | null
  nextAt: number
  deadlineAt: number
  history: Happening[]
}

const FINAL = new Set<SagaStatus>(['COMPLETED', 'COMPENSATED', 'NEEDS_ATTENTION'])

/** Whether nothing more happens to the saga by itself. */
export const isFinal = (status: SagaStatus): boolean => FINAL.has(status)
