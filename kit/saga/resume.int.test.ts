import pg from 'pg'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { createTestDatabase } from '../../tests/support/infra.ts'
import { fromPg, type Sql } from '../sql.ts'
import { inTransaction } from '../testing/in-transaction.ts'
import { createVirtualClock } from './clock.ts'
import { defineSaga, type StepCall } from './define.ts'
import { SagaLater, SagaRefusal } from './errors.ts'
import { installSagas } from './install.ts'
import { createSagaRunner } from './runner.ts'
import { exportRunner } from './runner-metrics.ts'
import { createSagaStore } from './store.ts'

let database: Awaited<ReturnType<typeof createTestDatabase>>
let pool: pg.Pool
/** The next transaction commits, and nobody hears of it. */
let loseReply = false
let told: [context: object, message: string][]

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new pg.Pool({ connectionString: database.url, max: 10 })
  // Dropping the database may cut a connection that is about to close by itself.
  pool.on('error', () => undefined)
  await installSagas(fromPg(pool))
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})
beforeEach(() => {
  told = []
})

const transaction = async <T>(work: (trx: Sql) => Promise<T>): Promise<T> => {
  const result = await inTransaction(pool, work)
  if (!loseReply) return result
  loseReply = false
  throw new Error('Connection terminated unexpectedly')
}
const clock = createVirtualClock(Date.now())
const store = createSagaStore<Sql>({ transaction })
type Definition = Parameters<typeof defineSaga<Sql>>[0]
const runnerOf = (definition: Definition, concurrency = 16) => {
  const logger = { error: (context: object, message: string) => void told.push([context, message]) }
  return createSagaRunner<Sql>({
    store,
    sagas: [defineSaga(definition)],
    logger,
    clock,
    concurrency,
    random: () => 0.5,
  })
}
const start = (runner: ReturnType<typeof runnerOf>, saga: string, id: string) =>
  inTransaction(pool, (trx) => runner.start(trx, { saga, id, data: {} }))

it('undoes what an attempt may have done, though a later one was put off and the note of that went unheard', async () => {
  let held = false
  const runner = runnerOf({
    name: 'paid',
    deadlineMs: 60_000,
    steps: [
      {
        name: 'charge',
        do: {
          async remote({ sagaId, attempt }) {
            held = true
            if (attempt === 1) throw new Error('no answer')
            const asked = { code: 'cancelled', message: 'by its customer' }
            await inTransaction(pool, (trx) => runner.cancel(trx, sagaId, asked))
            loseReply = true
            throw new SagaLater('being moved')
          },
        },
        undo: {
          remote: async () => {
            held = false
          },
        },
      },
    ],
  })
  const ended = await runner.follow(await start(runner, 'paid', 'unheard'), 20_000)
  expect({ status: ended.status, held }).toEqual({ status: 'COMPENSATED', held: false })
})

it('takes up what is due, however many others requests are waiting for', async () => {
  const answered = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const runner = runnerOf(
    {
      name: 'slow',
      deadlineMs: 60_000,
      steps: [
        {
          name: 'call',
          do: {
            async remote({ sagaId }) {
              if (sagaId === 'left behind') return
              asked.resolve()
              await answered.promise
            },
          },
        },
      ],
    },
    1,
  )
  await start(runner, 'slow', 'left behind')
  clock.advance(11_000)
  const following = runner.follow(await start(runner, 'slow', 'followed'), 20_000)
  await asked.promise
  expect(await runner.resumeDue()).toBe(1)
  expect((await store.read('left behind'))?.status).toBe('COMPLETED')
  answered.resolve()
  expect((await following).status).toBe('COMPLETED')
})

it('turns a saga back at once that is cancelled while it waits for its next attempt', async () => {
  const runner = runnerOf({
    name: 'waiting',
    deadlineMs: 60_000,
    steps: [{ name: 'call', do: { remote: async () => Promise.reject(new Error('no answer')) } }],
  })
  const waits = await runner.follow(await start(runner, 'waiting', 'impatient'), 20_000)
  expect(waits.nextAt - clock.now()).toBeGreaterThan(1_000)
  expect(await runner.resumeDue()).toBe(0)
  await inTransaction(pool, (trx) =>
    runner.cancel(trx, 'impatient', { code: 'cancelled', message: 'no longer wanted' }),
  )
  expect(await runner.resumeDue()).toBe(1)
  expect((await store.read('impatient'))?.status).toBe('COMPENSATED')
})

it('says that a saga needs attention, and goes on with it for the reason for which it had turned back', async () => {
  let away = true
  const reasons: StepCall['reason'][] = []
  const runner = runnerOf({
    name: 'refused',
    deadlineMs: 60_000,
    undoAttempts: 2,
    steps: [
      {
        name: 'order',
        do: { local: async () => undefined },
        undo: { local: async (_trx, { reason }) => void reasons.push(reason) },
      },
      {
        name: 'reserve',
        do: { remote: async () => undefined },
        undo: {
          async remote() {
            if (away) throw new Error('nobody answers')
          },
        },
      },
      {
        name: 'charge',
        do: { remote: async () => Promise.reject(new SagaRefusal('declined', 'no', { status: 402 })) },
      },
    ],
  })
  const stuck = await runner.follow(await start(runner, 'refused', 'stuck'), 20_000)
  expect(stuck).toMatchObject({ status: 'NEEDS_ATTENTION', reason: { code: 'compensation-failed' } })
  expect(told).toEqual([[{ saga: 'stuck', reason: 'compensation-failed' }, 'a saga needs attention']])
  const registry = new Registry()
  exportRunner(registry, runner.stats)
  expect(await registry.metrics()).toContain('saga_attention_total{saga="refused"} 1\n')
  away = false
  await runner.retry('stuck')
  await runner.resumeDue()
  const why = { code: 'declined', message: 'no', detail: { status: 402 } }
  expect(reasons).toEqual([why])
  expect(await store.read('stuck')).toMatchObject({ status: 'COMPENSATED', reason: why })
})
