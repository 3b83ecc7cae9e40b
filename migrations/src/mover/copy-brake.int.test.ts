import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { askFor, intentState, openIntent } from '../control/intents.ts'
import { readSighting } from '../control/sightings.ts'
import { createWorld, until, type World } from './testing/world.ts'

// Above what other tests do on this server meanwhile.
const LIMITS = { lagMs: 3_000, load: 8 }
const BUSY = LIMITS.load + 4

let world: World
beforeAll(async () => {
  world = await createWorld({ rows: 2_000 })
  world.start({ copyLimits: LIMITS })
  expect(await world.ask('prepare')).toMatchObject({ state: 'done' })
})
afterAll(() => world.drop())

const copied = async () =>
  (await world.db.goods.query('select coalesce(sum(rows_copied), 0)::int as rows from banyan.copy_progress')).rows[0]
    .rows

const waitsFor = async () => (await openIntent(world.db.control, 'goods'))?.waitsFor

it('the copy stands aside while the lag, then the load of the source, is over its limit, says so, and goes on', async () => {
  const lock = await world.db.goods.connect()
  const shoppers = Array.from(
    { length: BUSY },
    () => new pg.Client({ connectionString: world.urls.shop, application_name: 'a shopper' }),
  )
  try {
    await until('a heartbeat', 10_000, async () => (await readSighting(world.db.control, 'goods')).heartbeatAgoMs)
    // Whoever applies a heartbeat waits for this; the rows to copy do not.
    await lock.query('begin; lock table banyan.canary in exclusive mode')
    await until('the lag', 20_000, async () => {
      const { heartbeatAgoMs } = await readSighting(world.db.control, 'goods')
      return heartbeatAgoMs !== null && heartbeatAgoMs > LIMITS.lagMs
    })
    const id = await askFor(world.db.control, { context: 'goods', verb: 'backfill', source: 'cli', who: 'test' })
    await until('the copy to stand aside', 20_000, async () => (await waitsFor())?.includes('changes to catch up'))

    await Promise.all(shoppers.map((one) => one.connect()))
    const queries = shoppers.map((one) => one.query('select pg_sleep(120)').catch((error) => error.code))
    await until('the load to be told', 20_000, async () => (await waitsFor())?.includes('less busy: '))
    await lock.query('rollback')
    await until('the lag to be over', 20_000, async () => !(await waitsFor())?.includes('catch up'))
    expect(await waitsFor()).toMatch(/less busy: \d+ sessions are at work, more than 8$/)
    await until('status to say so', 10_000, async () => {
      const { seen } = await readSighting(world.db.control, 'goods')
      return String(seen.copyWaitsFor).includes('less busy')
    })
    expect(await copied()).toBe(0)

    await world.db.shop.query(
      `select pg_cancel_backend(pid) from pg_stat_activity where application_name = 'a shopper'`,
    )
    expect(await Promise.all(queries)).toEqual(Array(BUSY).fill('57014'))
    await until('the copy to end', 20_000, async () => (await intentState(world.db.control, id!)).state === 'done')
    expect(await copied()).toBe(4_000)
  } finally {
    lock.release(true)
    await Promise.all(shoppers.map((one) => one.end()))
  }
})
