import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase } from '../../tests/support/infra.ts'
import { currentContext, runInContext } from '../service/request-context.ts'
import { fromPg, type Sql } from '../sql.ts'
import { inTransaction } from '../testing/in-transaction.ts'
import { createVirtualClock } from './clock.ts'
import { defineSaga, ELSEWHERE, type StepCall } from './define.ts'
import { SagaLater, SagaRefusal } from './errors.ts'
import { installSagas } from './install.ts'
import { createSagaRunner } from './runner.ts'
import { sketchOf } from './sketch.ts'
import type { SagaState } from './state.ts'
import { createSagaStore } from './store.ts'

let database: Awaited<ReturnType<typeof createTestDatabase>>
let pool: pg.Pool

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new pg.Pool({ connectionString: database.url, max: 20 })
  // Dropping the database may cut a connection that is about to close by itself.
  pool.on('error', () => undefined)
  await installSagas(fromPg(pool))
  await installSagas(fromPg(pool))
  await pool.query('create table effect (saga text, what text, held int not null, primary key (saga, what))')
})

afterAll(async () => {
  await pool.end()
  await database.drop()
})

const transaction = <T>(work: (trx: Sql) => Promise<T>): Promise<T> => inTransaction(pool, work)

/** A callee with a database: doing and undoing are idempotent, and an undo that comes first leaves a tombstone. */
const doIt = async (sql: Sql, saga: string, what: string) => {
  const { rows } = await sql.raw(
    `insert into effect values (?, ?, 1) on conflict (saga, what) do update set held = effect.held returning held`,
    [saga, what],
  )
  if (rows[0].held !== 1) throw new SagaRefusal('undone-before', `${what} was undone before it was done`)
}
const undoIt = async (sql: Sql, saga: string, what: string) => {
  await sql.raw(`insert into effect values (?, ?, 0) on conflict (saga, what) do update set held = 0`, [saga, what])
}
const effectsOf = async (saga: string): Promise<Record<string, number>> => {
  const { rows } = await pool.query('select what, held from effect where saga = $1 order by what', [saga])
  return Object.fromEntries(rows.map((row) => [row.what, row.held]))
}

const remote = (what: string) => ({
  do: { remote: async (call: StepCall) => doIt(fromPg(pool), call.sagaId, what) },
  undo: { remote: async (call: StepCall) => undoIt(fromPg(pool), call.sagaId, what) },
})
const order = defineSaga<Sql>({
  name: 'order',
  deadlineMs: 60_000,
  undoAttempts: 3,
  steps: [
    {
      name: 'place',
      do: { local: async (trx, call) => doIt(trx, call.sagaId, 'place') },
      undo: { local: async (trx, call) => undoIt(trx, call.sagaId, 'place') },
    },
    { name: 'reserve', ...remote('reserve') },
    { name: 'charge', ...remote('charge') },
    {
      name: 'confirm',
      do: {
        local: async (trx, { sagaId, data }) => {
          await doIt(trx, sagaId, 'confirm')
          if (data.refuse) throw new SagaRefusal('refused', 'as asked')
        },
      },
    },
  ],
})

class Killed extends Error {}
type RunnerOptions = Parameters<typeof createSagaRunner<Sql>>[0]
const store = createSagaStore<Sql>({ transaction })
const runnerWith = (options: Partial<RunnerOptions>) =>
  createSagaRunner<Sql>({ store, sagas: [order], logger: { error: () => undefined }, random: () => 0.5, ...options })

let counter = 0
const begin = async (options: Partial<RunnerOptions>, data: object = {}, saga = 'order') => {
  counter += 1
  const id = `s${counter}`
  const runner = runnerWith(options)
  const standing = await transaction((trx) => runner.start(trx, { saga, id, data: { ...data } }))
  return { id, runner, ended: await runner.follow(standing, 30_000) }
}
const finishElsewhere = async (id: string, clock: ReturnType<typeof createVirtualClock>): Promise<SagaState> => {
  const other = runnerWith({ clock })
  for (let turn = 0; turn < 20; turn += 1) {
    clock.advance(20_000)
    await other.resumeDue()
    const saga = await store.read(id)
    if (saga && saga.status !== 'RUNNING' && saga.status !== 'COMPENSATING') return saga
  }
  throw new Error(`${id} did not end`)
}

describe('a runner that dies at a step boundary', () => {
  const points = ['reserve', 'charge'].flatMap((step) => [
    ...['before', 'after'].map((side) => ({ point: `saga.order.${step}.do.${side}`, refuse: false })),
    ...['before', 'after'].map((side) => ({ point: `saga.order.${step}.undo.${side}`, refuse: true })),
  ])
  it.each(points)('at $point leaves a saga that another runner ends well', async ({ point, refuse }) => {
    const clock = createVirtualClock(Date.now())
    const failPoint = (name: string) => {
      if (name === point) throw new Killed(name)
    }
    const { id, ended } = await begin({ clock, failPoint }, { refuse })
    expect(ended.status).toMatch(/RUNNING|COMPENSATING/)
    expect((await finishElsewhere(id, clock)).status).toBe(refuse ? 'COMPENSATED' : 'COMPLETED')
    const effects = await effectsOf(id)
    if (refuse) expect(effects).toEqual({ place: 0, reserve: 0, charge: 0 })
    else expect(effects).toEqual({ place: 1, reserve: 1, charge: 1, confirm: 1 })
  })

  it('too late for its deadline: what may have been done is undone', async () => {
    const clock = createVirtualClock(Date.now())
    const failPoint = (name: string) => {
      if (name === 'saga.order.charge.do.after') throw new Killed(name)
    }
    const { id } = await begin({ clock, failPoint })
    clock.advance(61_000)
    expect(await finishElsewhere(id, clock)).toMatchObject({ status: 'COMPENSATED', reason: { code: 'deadline' } })
    expect(await effectsOf(id)).toEqual({ place: 0, reserve: 0, charge: 0 })
  })

  it('is not overruled: what it still wants to store is dropped once another runner has the saga', async () => {
    const clock = createVirtualClock(Date.now())
    const reached = Promise.withResolvers<void>()
    const stopped = Promise.withResolvers<void>()
    const failPoint = (name: string) => {
      if (name !== 'saga.order.charge.do.after') return undefined
      reached.resolve()
      return stopped.promise
    }
    counter += 1
    const id = `s${counter}`
    const slow = runnerWith({ clock, failPoint })
    const standing = await transaction((trx) => slow.start(trx, { saga: 'order', id, data: {} }))
    const followed = slow.follow(standing, 30_000)
    await reached.promise
    expect((await finishElsewhere(id, clock)).status).toBe('COMPLETED')
    const history = (await store.read(id))!.history
    stopped.resolve()
    await followed
    expect((await store.read(id))!.history).toEqual(history)
  })
})

it('goes on in the trace it was begun in, also where another runner resumes it', async () => {
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const seen: (string | undefined)[] = []
  const see = async () => void seen.push(currentContext()?.traceparent)
  const traced = defineSaga<Sql>({
    name: 'traced',
    deadlineMs: 60_000,
    steps: [
      { name: 'call', do: { remote: see } },
      { name: 'note', do: { local: see } },
    ],
  })
  const clock = createVirtualClock(Date.now())
  const failPoint = () => {
    throw new Killed('before the call')
  }
  const { id } = await runInContext({ requestId: 'r', traceparent }, () =>
    begin({ sagas: [traced], clock, failPoint }, {}, 'traced'),
  )
  expect(seen).toEqual([])
  clock.advance(20_000)
  await runnerWith({ sagas: [traced], clock }).resumeDue()
  expect((await store.read(id))?.status).toBe('COMPLETED')
  expect(seen).toEqual([traceparent, traceparent])
})

it('records a step and its compensation before the call', async () => {
  let seen: SagaState | undefined
  const failPoint = async (name: string) => {
    if (name === 'saga.order.charge.do.before') seen = await store.read(`s${counter}`)
  }
  await begin({ failPoint })
  expect(seen!.steps.map((step) => step.status)).toEqual(['done', 'done', 'doing', 'waiting'])
})

it('takes a late success back: a call that outlives its timeout is undone, and its tombstone stops what comes after', async () => {
  const arrived: Promise<unknown>[] = []
  const late = defineSaga<Sql>({
    name: 'late',
    deadlineMs: 60_000,
    steps: [
      {
        name: 'charge',
        deadlineMs: 50,
        do: {
          remote: (call) => {
            // The request reaches the callee only after the caller has given up and undone it.
            const given = Promise.withResolvers<void>()
            call.signal.addEventListener('abort', () => given.resolve())
            arrived.push(undone.promise.then(() => doIt(fromPg(pool), call.sagaId, 'charge')).catch((error) => error))
            return given.promise.then(() => new Promise<undefined>(() => undefined))
          },
        },
        undo: {
          remote: async (call) => {
            await undoIt(fromPg(pool), call.sagaId, 'charge')
            undone.resolve()
          },
        },
      },
    ],
  })
  const undone = Promise.withResolvers<void>()
  const { id, ended } = await begin({ sagas: [late], callTimeoutMs: 100 }, {}, 'late')
  expect(ended.status).toBe('COMPENSATED')
  for (const error of await Promise.all(arrived)) expect(error).toBeInstanceOf(SagaRefusal)
  expect(await effectsOf(id)).toEqual({ charge: 0 })
})

it('never says COMPENSATED when a compensation failed, and goes on when a person retries it', async () => {
  let broken = true
  const stuck = defineSaga<Sql>({
    name: 'stuck',
    deadlineMs: 60_000,
    undoAttempts: 3,
    steps: [
      {
        name: 'charge',
        do: { remote: async () => undefined },
        undo: {
          remote: async () => {
            if (broken) throw new Error('the provider is away')
          },
        },
      },
      {
        name: 'confirm',
        do: {
          remote: async () => {
            throw new SagaRefusal('no', 'no')
          },
        },
      },
    ],
  })
  const clock = createVirtualClock(Date.now())
  const { id, ended, runner } = await begin({ sagas: [stuck], clock }, {}, 'stuck')
  expect(ended).toMatchObject({ status: 'NEEDS_ATTENTION', reason: { code: 'compensation-failed' } })
  expect(await runner.resumeDue()).toBe(0)
  broken = false
  await runner.retry(id)
  await runner.resumeDue()
  expect((await store.read(id))!.status).toBe('COMPENSATED')
  await expect(runner.retry(id)).rejects.toThrow(/is COMPENSATED/)
})

it('turns back when it is cancelled between two steps, and is left alone when it is through', async () => {
  const asked = { code: 'cancelled', message: 'by its customer' }
  const failPoint = async (name: string) => {
    if (name === 'saga.order.charge.do.before') await transaction((trx) => runner.cancel(trx, `s${counter}`, asked))
  }
  const runner = runnerWith({ failPoint })
  const { id, ended } = await begin({ failPoint })
  expect(ended).toMatchObject({ status: 'COMPENSATED', reason: asked })
  expect(await effectsOf(id)).toEqual({ place: 0, reserve: 0, charge: 0 })
  const through = await begin({})
  expect((await transaction((trx) => runner.cancel(trx, through.id, asked)))!.status).toBe('COMPLETED')
})

it('calls the other process when a local act finds its callee elsewhere, and forgets what that act wrote', async () => {
  const moved = defineSaga<Sql>({
    name: 'moved',
    deadlineMs: 60_000,
    steps: [
      {
        name: 'reserve',
        do: {
          local: async (trx, call) => {
            await doIt(trx, call.sagaId, 'local')
            return ELSEWHERE
          },
          remote: async (call) => doIt(fromPg(pool), call.sagaId, 'remote'),
        },
      },
    ],
  })
  const { id, ended } = await begin({ sagas: [moved] }, {}, 'moved')
  expect(ended.status).toBe('COMPLETED')
  expect(await effectsOf(id)).toEqual({ remote: 1 })
})

it('stands still while background work is held, answers at once, and goes on afterwards', async () => {
  let held = true
  const pass = async <T>(step: () => Promise<T>) => (held ? undefined : step())
  const from = Date.now()
  const { id, ended, runner } = await begin({ pass })
  expect(Date.now() - from).toBeLessThan(5_000)
  expect(ended.status).toBe('RUNNING')
  expect(await effectsOf(id)).toEqual({ place: 1 })
  held = false
  expect((await runner.followStored(id, 10_000))!.status).toBe('COMPLETED')
})

it('is driven by one of many workers that look at once', async () => {
  const clock = createVirtualClock(Date.now())
  const ids: string[] = []
  const idle = runnerWith({ clock })
  for (let n = 0; n < 40; n += 1) {
    ids.push(`many${n}`)
    await transaction((trx) => idle.start(trx, { saga: 'order', id: `many${n}`, data: {} }))
  }
  clock.advance(11_000)
  const workers = Array.from({ length: 8 }, () => runnerWith({ clock }))
  const taken = await Promise.all(workers.map((worker) => worker.resumeDue()))
  expect(taken.reduce((sum, one) => sum + one, 0)).toBe(40)
  for (const id of ids) expect((await store.read(id))!.steps.map((step) => step.attempts)).toEqual([1, 2, 1, 1])
})

describe('runners on the two sides of a move', () => {
  it('take over what the other side has in hand at once, and wait for a lease of their own side', async () => {
    const clock = createVirtualClock(Date.now())
    const failPoint = (name: string) => {
      if (name === 'saga.order.charge.do.after') throw new Killed(name)
    }
    const { id } = await begin({ clock, side: 'old', failPoint })
    expect(await runnerWith({ clock, side: 'old' }).resumeDue()).toBe(0)
    expect(await runnerWith({ clock }).resumeDue()).toBe(0)
    expect(await runnerWith({ clock, side: 'new' }).resumeDue()).toBe(1)
    expect((await store.read(id))!.status).toBe('COMPLETED')
    expect(await effectsOf(id)).toEqual({ place: 1, reserve: 1, charge: 1, confirm: 1 })
  })

  it('keep quiet while the other side is the owner, and say so when it is a failure', async () => {
    let thrown: Error = new SagaLater('not the owner')
    const looked = Promise.withResolvers<void>()
    const errors: string[] = []
    const guard = async () => {
      looked.resolve()
      throw thrown
    }
    const logger = { error: (_: object, message: string) => void errors.push(message) }
    const quiet = runnerWith({ store: createSagaStore<Sql>({ transaction, guard }), logger })
    quiet.run()
    await looked.promise
    await quiet.close()
    expect(errors).toEqual([])
    thrown = new Error('broken')
    await runnerWith({ store: createSagaStore<Sql>({ transaction, guard }), logger }).close()
    expect(errors).toEqual([expect.stringContaining('sagas in hand')])
  })

  it('store what their sagas look like as soon as they may, where only the owner may write at all', async () => {
    await pool.query('delete from sagas_definitions')
    let owns = false
    const owned: typeof transaction = (work) =>
      owns ? transaction(work) : Promise.reject(new SagaLater('not the owner'))
    const runner = runnerWith({ store: createSagaStore<Sql>({ transaction: owned }), pollMs: 20 })
    runner.run()
    expect(await store.sketches()).toEqual([])
    owns = true
    await expect.poll(() => store.sketches(), { timeout: 10_000 }).toContainEqual(sketchOf(order))
    await runner.close()
  })

  it('each store what their sagas look like, whoever owns them', async () => {
    const guard = async () => Promise.reject(new SagaLater('not the owner'))
    const runner = runnerWith({ store: createSagaStore<Sql>({ transaction, guard }) })
    runner.run()
    await runner.close()
    const { rows } = await pool.query("select definition from sagas_definitions where saga = 'order'")
    expect(rows).toEqual([{ definition: sketchOf(order) }])
    expect(await store.sketches()).toContainEqual(sketchOf(order))
  })
})
