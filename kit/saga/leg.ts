import type { Sql } from '../sql.ts'
import { actLocally } from './act.ts'
import type { Clock } from './clock.ts'
import { ELSEWHERE, type SagaDefinition, type StepCall } from './define.ts'
import { type Outcome, SagaError } from './errors.ts'
import { type NextStep, nextStep, type Shape } from './next-step.ts'
import type { SagaState } from './state.ts'
import { calling, finished, settled, turnedBack } from './transitions.ts'

export type Call = Extract<NextStep, { kind: 'do' | 'undo' }>

/** Where a transaction leaves a saga: a call to make with no transaction open, a time to wait for, or its end. */
export type Stop = { kind: 'call'; action: Call } | { kind: 'wait'; until: number } | { kind: 'rest' }

export type LegOptions = {
  clock: Clock
  grade(error: unknown): Exclude<Outcome, { kind: 'done' }>
  random(): number
}

/** What the pure decision needs of a definition. */
export const shapeOf = <Trx>(definition: SagaDefinition<Trx>): Shape => ({
  forwardOnly: definition.forwardOnly ?? false,
  undoAttempts: definition.undoAttempts ?? 12,
  undoable: definition.steps.map((step) => step.undo !== undefined),
})

/** The key is the same on every attempt, in every process. */
export const callOf = (saga: SagaState, action: Call): Omit<StepCall, 'signal'> => {
  const step = saga.steps[action.step]!
  const undo = action.kind === 'undo'
  return {
    sagaId: saga.id,
    key: `${saga.id}.${step.name}${undo ? '.undo' : ''}`,
    attempt: undo ? step.undoAttempts : step.attempts,
    data: saga.data,
    reason: saga.reason,
  }
}

/**
 * Walks a saga as far as one transaction reaches: local acts run in it; before a remote one it stops, with the step
 * recorded as begun.
 */
export const walk = async <Trx extends Sql>(
  trx: Trx,
  start: SagaState,
  definition: SagaDefinition<Trx>,
  { clock, grade, random }: LegOptions,
): Promise<{ saga: SagaState; stop: Stop }> => {
  const shape = shapeOf(definition)
  let saga = start
  for (;;) {
    const now = clock.now()
    const action = nextStep(saga, shape, now)
    if (action.kind === 'rest') return { saga, stop: { kind: 'rest' } }
    if (action.kind === 'wait') return { saga, stop: { kind: 'wait', until: action.until } }
    if (action.kind === 'finish') {
      saga = finished(saga, action, now)
      continue
    }
    if (action.kind === 'turn-back') {
      saga = turnedBack(saga, action.reason, now)
      continue
    }
    const step = definition.steps[action.step]
    const act = step?.[action.kind]
    if (!step || !act || step.name !== saga.steps[action.step]?.name)
      throw new SagaError('saga-changed', `saga ${saga.saga} no longer has the steps that ${saga.id} was begun with`)
    const begun = calling(saga, action, step.deadlineMs, now)
    if ('local' in act) {
      const call = { ...callOf(begun, action), signal: new AbortController().signal }
      const outcome = await actLocally(trx, act.local, call, grade)
      if (outcome !== ELSEWHERE) {
        saga = settled(begun, action, outcome, clock.now(), random())
        continue
      }
    }
    if (!act.remote)
      throw new SagaError('saga-invalid', `${saga.saga}.${step.name}: ${action.kind} is elsewhere, with no remote`)
    return { saga: begun, stop: { kind: 'call', action } }
  }
}
