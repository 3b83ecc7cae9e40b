import { persistently } from '../service/persistently.ts'
import { failSpan, withSpan } from '../service/span.ts'
import type { Sql } from '../sql.ts'
import { actRemotely } from './act.ts'
import type { SagaDefinition } from './define.ts'
import { type Outcome, SagaError } from './errors.ts'
import { type Call, callOf, type LegOptions, type Stop, walk } from './leg.ts'
import type { SagaState } from './state.ts'
import type { Lease, SagaStore } from './store.ts'
import { inSagaTrace } from './trace.ts'
import { settled } from './transitions.ts'

/** A saga at the end of a transaction of ours, on its way while `stop` is a call or a wait. */
export type Standing = { saga: SagaState; stop: Stop }

export type DriveOptions<Trx extends Sql> = LegOptions & {
  store: SagaStore<Trx>
  definitionOf(name: string): SagaDefinition<Trx>
  lease(): Lease
  callTimeoutMs: number
  failPoint(name: string): unknown
  /** Runs a step once background work may run; undefined when the runner closes first. */
  passed<T>(step: () => Promise<T>): Promise<{ value: T } | undefined>
  closing: AbortSignal
}

/** Waits longer than this are left to whoever looks next. */
const PATIENCE_MS = 1_000
const TRIES = 3

/** Keeps the saga while it has something to do soon, lets go of it otherwise. */
export const leaseFor = (stop: Stop, now: number, lease: () => Lease): Lease | null =>
  stop.kind === 'call' || (stop.kind === 'wait' && stop.until - now <= PATIENCE_MS) ? lease() : null

/**
 * Drives one saga as far as it goes now: transaction, call, transaction, …, until its end, a long wait, another
 * process's lease or our own closing.
 *
 * @param from where a transaction of ours has just left it; absent for a claimed one
 * @param wake cuts a short wait short
 */
export const drive = async <Trx extends Sql>(
  id: string,
  from: Standing | undefined,
  wake: AbortSignal,
  options: DriveOptions<Trx>,
): Promise<SagaState | undefined> => {
  const { clock, passed, closing } = options
  let standing = from
  const turn = () =>
    passed(async () => {
      const call = standing?.stop.kind === 'call' ? standing.stop.action : undefined
      const ended = standing &&
        call && { from: standing.saga, action: call, outcome: await callOut(standing.saga, call, options) }
      return persistently(() => leg(id, ended, options), pauseAfter)
    })
  do {
    if (standing?.stop.kind === 'wait') {
      if (standing.stop.until - clock.now() > PATIENCE_MS) break
      await clock.sleepUntil(standing.stop.until, AbortSignal.any([wake, closing]))
    }
    const through = await turn()
    if (!through) break
    standing = through.value
  } while (standing && standing.stop.kind !== 'rest')
  return standing?.saga
}

type Ended = { from: SagaState; action: Call; outcome: Outcome }

/** One transaction: records how the call in hand ended and walks on. Undefined when another process took over. */
const leg = async <Trx extends Sql>(
  id: string,
  ended: Ended | undefined,
  options: DriveOptions<Trx>,
): Promise<Standing | undefined> => {
  const { store, clock, random, lease } = options
  return store.transaction(async (trx) => {
    const locked = await store.lock(trx, id)
    if (!locked || locked.leaseOwner !== lease().owner) return undefined
    const now = clock.now()
    const saga =
      ended && awaits(locked.saga, ended)
        ? settled(locked.saga, ended.action, ended.outcome, now, random())
        : locked.saga
    const standing = await inSagaTrace(saga, () => walk(trx, saga, options.definitionOf(saga.saga), options))
    await store.save(trx, standing.saga, leaseFor(standing.stop, clock.now(), lease))
    return standing
  })
}

/**
 * Whether the saga still stands where the call was made from. Where it does not, this outcome was recorded by a
 * transaction whose commit was not heard of; twice recorded, a call put off for now would take an earlier attempt, which
 * may have done something, from the count.
 */
const awaits = (saga: SagaState, { from, action }: Ended): boolean => {
  const [is, was] = [saga.steps[action.step]!, from.steps[action.step]!]
  return (
    saga.status === from.status &&
    is.status === was.status &&
    is.attempts === was.attempts &&
    is.undoAttempts === was.undoAttempts
  )
}

const callOut = async <Trx extends Sql>(
  saga: SagaState,
  action: Call,
  options: DriveOptions<Trx>,
): Promise<Outcome> => {
  const step = options.definitionOf(saga.saga).steps[action.step]!
  const point = `saga.${saga.saga}.${step.name}.${action.kind}`
  await options.failPoint(`${point}.before`)
  const call = callOf(saga, action)
  const attributes = { 'banyan.saga.id': saga.id, 'banyan.saga.attempt': call.attempt }
  const outcome = await inSagaTrace(saga, () =>
    withSpan(point, { attributes }, async ({ span }) => {
      const ended = await actRemotely(step[action.kind]!.remote!, call, options.grade, options.callTimeoutMs)
      if (ended.kind === 'done') return ended
      failSpan(span, ended.kind)
      return ended
    }),
  )
  await options.failPoint(`${point}.after`)
  return outcome
}

const pauseAfter = (error: unknown, attempt: number) =>
  attempt >= TRIES || error instanceof SagaError ? null : 100 * attempt
