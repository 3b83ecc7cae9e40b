import type { SagaData, SagaDefinition } from './define.ts'
import type { Outcome, Reason } from './errors.ts'
import type { NextStep } from './next-step.ts'
import type { Happening, SagaState, StepState } from './state.ts'

const FIRST_RETRY_MS = 100
const LONGEST_RETRY_MS = 15_000
/** A callee that is closed for a switch opens again within seconds. */
const LATER_MS = 100

/** The state of a saga that has not taken a step yet. */
export const begin = <Trx>(
  definition: SagaDefinition<Trx>,
  id: string,
  data: SagaData,
  now: number,
  traceparent?: string,
): SagaState => ({
  id,
  saga: definition.name,
  status: 'RUNNING',
  data,
  steps: definition.steps.map(({ name }) => ({
    name,
    status: 'waiting',
    attempts: 0,
    undoAttempts: 0,
    deadlineAt: null,
  })),
  reason: null,
  cancelRequested: null,
  nextAt: now,
  deadlineAt: now + definition.deadlineMs,
  history: [{ at: now, what: 'started', traceparent }],
})

/** Records that a step, or its compensation, is about to be called. Stored before the call. */
export const calling = (
  saga: SagaState,
  action: Extract<NextStep, { kind: 'do' | 'undo' }>,
  deadlineMs: number | undefined,
  now: number,
): SagaState =>
  withStep(saga, action.step, (step) =>
    action.kind === 'do'
      ? {
          ...step,
          status: 'doing',
          attempts: step.attempts + 1,
          deadlineAt: step.deadlineAt ?? (deadlineMs === undefined ? null : now + deadlineMs),
        }
      : { ...step, status: 'undoing', undoAttempts: step.undoAttempts + 1 },
  )

/** Records how the call ended. `random` in 0…1 spreads retries by a fifth either way. */
export const settled = (
  saga: SagaState,
  action: Extract<NextStep, { kind: 'do' | 'undo' }>,
  outcome: Outcome,
  now: number,
  random: number,
): SagaState => {
  const step = saga.steps[action.step]!
  const undo = action.kind === 'undo'
  switch (outcome.kind) {
    case 'done': {
      const data = { ...saga.data, ...outcome.patch }
      const next = withStep({ ...saga, data, nextAt: now }, action.step, (one) => ({
        ...one,
        status: undo ? 'undone' : 'done',
      }))
      return noted(next, { at: now, what: undo ? 'undone' : 'done', step: step.name })
    }
    case 'later': {
      const uncounted = withStep({ ...saga, nextAt: now + LATER_MS }, action.step, (one) =>
        undo
          ? { ...one, undoAttempts: one.undoAttempts - 1 }
          : { ...one, attempts: one.attempts - 1, status: one.attempts === 1 ? 'waiting' : one.status },
      )
      return noted(uncounted, { at: now, what: 'later', step: step.name, note: outcome.message })
    }
    case 'failed': {
      const wait = backOff(undo ? step.undoAttempts : step.attempts, random)
      const what = undo ? 'undo failed' : 'failed'
      return noted({ ...saga, nextAt: now + wait }, { at: now, what, step: step.name, note: outcome.message })
    }
    case 'refused': {
      // A compensation has no right to refuse; it is tried again, and in the end a person looks.
      if (undo) return settled(saga, action, { kind: 'failed', message: outcome.reason.message }, now, random)
      // Refused at once: nothing was done. After an attempt of unknown outcome the compensation makes sure.
      const known = withStep(saga, action.step, (one) => (one.attempts === 1 ? { ...one, status: 'refused' } : one))
      const note = `${outcome.reason.code}: ${outcome.reason.message}`
      return turnedBack(noted(known, { at: now, what: 'refused', step: step.name, note }), outcome.reason, now)
    }
  }
}

/** Sends the saga backward. */
export const turnedBack = (saga: SagaState, reason: Reason, now: number): SagaState =>
  noted({ ...saga, status: 'COMPENSATING', reason, nextAt: now }, { at: now, what: 'turned back', note: reason.code })

/** Ends the saga. */
export const finished = (saga: SagaState, action: Extract<NextStep, { kind: 'finish' }>, now: number): SagaState => {
  const { status, reason: stopped } = action
  const reason = stopped && saga.reason ? { ...stopped, before: saga.reason } : (stopped ?? saga.reason)
  return noted(
    { ...saga, status, reason },
    { at: now, what: status.toLowerCase().replace('_', ' '), note: stopped?.message },
  )
}

/**
 * Gives a saga that needs attention another round of attempts: forward if it never turned back, else backward, for the
 * reason for which it had turned back.
 */
export const retried = (saga: SagaState, forwardOnly: boolean, deadlineMs: number, now: number): SagaState =>
  noted(
    {
      ...saga,
      status: forwardOnly ? 'RUNNING' : 'COMPENSATING',
      reason: forwardOnly ? null : (saga.reason?.before ?? saga.reason),
      nextAt: now,
      deadlineAt: now + deadlineMs,
      steps: saga.steps.map((step) => ({ ...step, undoAttempts: 0, deadlineAt: null })),
    },
    { at: now, what: 'retried by hand' },
  )

/** Milliseconds until the next attempt: doubling from 100 ms to 15 s. */
const backOff = (attempts: number, random: number): number =>
  Math.round(Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.max(0, attempts - 1)) * (0.8 + 0.4 * random))

const withStep = (saga: SagaState, index: number, change: (step: StepState) => StepState): SagaState => ({
  ...saga,
  steps: saga.steps.map((step, at) => (at === index ? change(step) : step)),
})

/** Same news as the last line: counted there, so that a saga retried for a day keeps a short history. */
const noted = (saga: SagaState, line: Happening): SagaState => {
  const last = saga.history.at(-1)
  const note = line.note?.slice(0, 300)
  if (last && last.what === line.what && last.step === line.step)
    return { ...saga, history: [...saga.history.slice(0, -1), { ...line, note, times: (last.times ?? 1) + 1 }] }
  return { ...saga, history: [...saga.history, { ...line, note }] }
}
