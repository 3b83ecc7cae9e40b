import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { currentContext } from '../service/request-context.ts'
import type { Sql } from '../sql.ts'
import { type Clock, systemClock } from './clock.ts'
import type { SagaData, SagaDefinition } from './define.ts'
import { drive, leaseFor, type Standing } from './drive.ts'
import { gradeError, type Outcome, type Reason, SagaError } from './errors.ts'
import { walk } from './leg.ts'
import { retrySaga } from './retry.ts'
import type { RunnerStats } from './runner-metrics.ts'
import { sketchOf } from './sketch.ts'
import { isFinal, type SagaState } from './state.ts'
import type { Lease, SagaStore } from './store.ts'
import { begin } from './transitions.ts'

export type SagaRunner<Trx> = {
  /**
   * Stores a new saga in the caller's transaction and takes its local steps there. Hand the result to `follow` after
   * the commit; a process that dies in between loses nothing, the worker resumes the saga.
   */
  start(trx: Trx, saga: { saga: string; id: string; data: SagaData }): Promise<Standing>
  /**
   * Goes on with the saga and waits for its end.
   * @param withinMs after which the state of the moment is answered; the saga goes on behind
   * @returns at once when background work is held
   */
  follow(standing: Standing, withinMs: number): Promise<SagaState>
  /** Goes on with a stored saga that nobody else drives, and waits likewise. */
  followStored(id: string, withinMs: number): Promise<SagaState | undefined>
  /**
   * Asks a saga to turn back, in the caller's transaction. Locks its row: lock it before rows that its steps lock.
   * @returns its state; a final one is left as it is
   */
  cancel(trx: Trx, id: string, reason: Reason): Promise<SagaState | undefined>
  /** Gives a saga that needs attention another round. Refused with SagaError `saga-not-stuck` for any other. */
  retry(id: string): Promise<void>
  /** Claims what is due and drives it as far as it goes now. The worker's turn; also what a test calls. */
  resumeDue(): Promise<number>
  stats(): RunnerStats
  /** Stores what its sagas look like, for whoever has only the database, and begins to look for due ones. */
  run(): void
  /** Stops looking, finishes or stores the steps in hand. */
  close(): Promise<void>
}

type Options<Trx extends Sql> = {
  store: SagaStore<Trx>
  sagas: readonly SagaDefinition<Trx>[]
  logger: { error(context: object, message: string): void }
  clock?: Clock
  /** Grades what an act, or the store's guard, threw; unknown errors must stay `failed`. */
  grade?: (error: unknown) => Exclude<Outcome, { kind: 'done' }>
  /** Every step passes here; undefined means that background work must stand still, and nothing was run. */
  pass?<T>(step: () => Promise<T>): Promise<T | undefined>
  /** Called as `saga.<saga>.<step>.<do|undo>.<before|after>` around each remote act. */
  failPoint?: (name: string) => unknown
  random?: () => number
  /**
   * Which side of a move this process is on. A lease that a runner of another side holds is void: the guard of the
   * store lets only the owner's side write, so whoever gets past it need not wait for the other to run out.
   */
  side?: string
  /** How long a claim lasts without a sign of life, and, below it, how long one remote act may take. Milliseconds. */
  leaseMs?: number
  callTimeoutMs?: number
  pollMs?: number
  /** Sagas that the worker drives at once; those that requests follow are not counted. */
  concurrency?: number
}

/** @throws SagaError `saga-invalid` when a call could outlast its lease */
export const createSagaRunner = <Trx extends Sql>(options: Options<Trx>): SagaRunner<Trx> => {
  const { store, logger, clock = systemClock, grade = gradeError, random = Math.random } = options
  const { pass = (step) => step(), failPoint = () => undefined } = options
  const { leaseMs = 10_000, callTimeoutMs = 5_000, pollMs = 250, concurrency = 16 } = options
  if (callTimeoutMs >= leaseMs)
    throw new SagaError('saga-invalid', `a call of ${callTimeoutMs} ms outlasts a lease of ${leaseMs} ms`)
  const definitions = new Map(options.sagas.map((saga) => [saga.name, saga]))
  const side = options.side && `${options.side}/`
  const me = `${side ?? ''}${randomUUID()}`
  // From nothing on: an alert on what grew does not see the first of a figure that was not there before.
  const attention = new Map(options.sagas.map(({ name }) => [name, 0]))
  const driven = new Map<string, { end: Promise<SagaState | undefined>; wake: AbortController }>()
  const closing = new AbortController()
  let resuming = 0
  let held = Promise.withResolvers<void>()
  let looking: Promise<void> | undefined

  const lease = (): Lease => ({ owner: me, until: clock.now() + leaseMs })
  const definitionOf = (name: string): SagaDefinition<Trx> => {
    const definition = definitions.get(name)
    if (!definition) throw new SagaError('saga-unknown', `no saga named ${name} is defined here`)
    return definition
  }
  /** Runs a step when background work may run; waiters are let go while it may not. Undefined: we are closing. */
  const passed = async <T>(step: () => Promise<T>): Promise<{ value: T } | undefined> => {
    while (!closing.signal.aborted) {
      const through = await pass(async () => ({ value: await step() }))
      if (through) return through
      held.resolve()
      held = Promise.withResolvers()
      await sleep(50)
    }
    return undefined
  }

  const driving = {
    store,
    definitionOf,
    lease,
    callTimeoutMs,
    failPoint,
    passed,
    closing: closing.signal,
    clock,
    grade,
    random,
  }

  const driveOnce = (id: string, from?: Standing): Promise<SagaState | undefined> => {
    const running = driven.get(id)
    if (running) return running.end
    const wake = new AbortController()
    // What cannot be stored now is resumed when the lease is over.
    const end = drive(id, from, wake.signal, driving)
      .then((saga) => {
        if (saga?.status === 'NEEDS_ATTENTION') {
          attention.set(saga.saga, (attention.get(saga.saga) ?? 0) + 1)
          logger.error({ saga: id, reason: saga.reason?.code }, 'a saga needs attention')
        }
        return saga
      })
      .catch((error) => {
        unlessElsewhere(error, { saga: id }, 'saga left to be resumed')
        return from?.saga
      })
      .finally(() => driven.delete(id))
    driven.set(id, { end, wake })
    return end
  }

  const within = async <T>(end: Promise<T>, ms: number): Promise<T | undefined> => {
    const timer = new AbortController()
    const late = sleep(ms, undefined, { signal: timer.signal }).catch(() => undefined)
    const first = await Promise.race([end, late, held.promise.then(() => undefined)])
    timer.abort()
    return first
  }

  const claim = async (): Promise<Promise<SagaState | undefined>[]> => {
    const room = concurrency - resuming
    const claimed = (room > 0 && (await pass(() => store.claim(lease(), clock.now(), room, side)))) || []
    resuming += claimed.length
    return claimed.map((id) => driveOnce(id).finally(() => resuming--))
  }

  /** A process of the other side of a move owns the sagas: quiet, its business. */
  const unlessElsewhere = (error: unknown, context: object, message: string): void => {
    if (grade(error).kind !== 'later') logger.error({ ...context, err: error }, message)
  }

  /** Asked again until it has worked: a side may have to be the owner first. @returns whether it has */
  const publish = () =>
    store.publish(options.sagas.map(sketchOf)).then(
      () => true,
      (error) => {
        unlessElsewhere(error, {}, 'could not store what the sagas here look like')
        return false
      },
    )

  const look = async () => {
    let published = await publish()
    while (!closing.signal.aborted) {
      if (!published) published = await publish()
      await claim().catch((error) => unlessElsewhere(error, {}, 'could not look for sagas to resume'))
      await clock.sleepUntil(clock.now() + pollMs, closing.signal)
    }
  }

  return {
    async start(trx, { saga: name, id, data }) {
      const definition = definitionOf(name)
      const fresh = begin(definition, id, data, clock.now(), currentContext()?.traceparent)
      const standing = await walk(trx, fresh, definition, driving)
      await store.insert(trx, standing.saga, leaseFor(standing.stop, clock.now(), lease))
      return standing
    },
    async follow(standing, withinMs) {
      if (isFinal(standing.saga.status)) return standing.saga
      const ended = await within(driveOnce(standing.saga.id, standing), withinMs)
      return ended ?? (await store.read(standing.saga.id)) ?? standing.saga
    },
    async followStored(id, withinMs) {
      const saga = await store.read(id)
      if (!saga || isFinal(saga.status)) return saga
      const running = driven.get(id)?.end
      if (running) await within(running, withinMs)
      return store.read(id)
    },
    async cancel(trx, id, reason) {
      const locked = await store.lock(trx, id)
      if (locked?.saga.status !== 'RUNNING') return locked?.saga
      const saga = { ...locked.saga, cancelRequested: reason, nextAt: clock.now() }
      // Whoever drives it keeps it, and sees the request in the next transaction.
      await store.save(trx, saga)
      driven.get(id)?.wake.abort()
      return saga
    },
    retry: (id) => retrySaga(store, id, definitionOf, clock.now()),
    stats: () => ({ attention }),
    resumeDue: async () => (await Promise.all(await claim())).length,
    run() {
      looking ??= look()
    },
    async close() {
      closing.abort()
      await looking
      await Promise.all([...driven.values()].map(({ end }) => end))
      await store
        .release(me)
        .catch((error) => unlessElsewhere(error, {}, 'sagas in hand are resumed when their lease is over'))
    },
  }
}
