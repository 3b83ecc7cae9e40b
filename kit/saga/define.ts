import { type Reason, SagaError } from './errors.ts'

/** What a saga remembers between its steps; it is stored as JSON. */
export type SagaData = Record<string, unknown>

/** What a step is told. `key` is the same on every attempt: pass it on as the idempotency key. */
export type StepCall<Data = SagaData> = {
  readonly sagaId: string
  readonly key: string
  readonly attempt: number
  readonly data: Readonly<Data>
  /** Why the saga turned back; null on the way forward. */
  readonly reason: Reason | null
  /** Aborted when the runner stops waiting; the call then counts as one whose outcome is unknown. */
  readonly signal: AbortSignal
}

/** Answered by a local act that finds the callee in another process: its reads are undone and `remote` is called. */
export const ELSEWHERE: unique symbol = Symbol('elsewhere')

/** Runs in the very transaction that stores the saga's state: both happen, or neither. */
export type Local<Trx, Data> = (
  trx: Trx,
  call: StepCall<Data>,
  // biome-ignore lint/suspicious/noConfusingVoidType: an act that has nothing to remember returns nothing
) => Promise<Partial<Data> | void | typeof ELSEWHERE>

/** Runs with no transaction open. Must be idempotent: it is repeated after a failure, a timeout or a kill. */
// biome-ignore lint/suspicious/noConfusingVoidType: an act that has nothing to remember returns nothing
export type Remote<Data> = (call: StepCall<Data>) => Promise<Partial<Data> | void>

export type Act<Trx, Data> = { local: Local<Trx, Data>; remote?: Remote<Data> } | { remote: Remote<Data> }

/**
 * `undo` must hold whatever became of `do`: done, not done, or still on its way. So it leaves a tombstone at the
 * callee when it comes first.
 */
export type Step<Trx, Data> = {
  readonly name: string
  readonly do: Act<Trx, Data>
  readonly undo?: Act<Trx, Data>
  /** Milliseconds from the first attempt after which the step is given up; the saga's own deadline by default. */
  readonly deadlineMs?: number
}

export type SagaDefinition<Trx, Data = SagaData> = {
  readonly name: string
  /** Milliseconds from the start after which a saga that is not through goes back. */
  readonly deadlineMs: number
  /** No way back: a step that is refused or late needs attention instead of compensation. */
  readonly forwardOnly?: boolean
  /** How often one compensation is tried before a person must look; 12 by default (about a minute). */
  readonly undoAttempts?: number
  readonly steps: readonly Step<Trx, Data>[]
}

/**
 * Checks a saga's table of steps and freezes it.
 *
 * @throws SagaError `saga-invalid` for no steps, a name that repeats, a deadline that is no positive number
 */
export const defineSaga = <Trx, Data extends object = SagaData>(
  saga: SagaDefinition<Trx, Data>,
): SagaDefinition<Trx> => {
  const names = saga.steps.map((step) => step.name)
  const repeated = names.find((name, index) => names.indexOf(name) !== index)
  if (names.length === 0) throw new SagaError('saga-invalid', `saga ${saga.name} has no steps`)
  if (repeated !== undefined) throw new SagaError('saga-invalid', `saga ${saga.name} has two steps named ${repeated}`)
  for (const ms of [saga.deadlineMs, ...saga.steps.map((step) => step.deadlineMs ?? 1)])
    if (!(ms > 0)) throw new SagaError('saga-invalid', `saga ${saga.name}: a deadline must be above 0 ms, got ${ms}`)
  if (saga.forwardOnly && saga.steps.some((step) => step.undo))
    throw new SagaError('saga-invalid', `saga ${saga.name} is forward-only, so its steps have nothing to undo`)
  // Data is the definition's own business: the runner only stores it and hands it back.
  return Object.freeze({ ...saga, steps: Object.freeze([...saga.steps]) }) as unknown as SagaDefinition<Trx>
}
