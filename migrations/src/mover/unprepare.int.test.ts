import { connectBroker } from '@banyan/kit/broker'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { laneQueue } from '../data/change-lane.ts'
import { dropCrossingKeys } from '../data/crossing-keys.ts'
import { openDb } from '../data/open-db.ts'
import { unprepare } from './act/prepare.ts'
import { createLanes } from './lanes.ts'
import type { Runtime } from './runtime.ts'
import { createWorld, until, type World } from './testing/world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld({ rows: 20 })
})
afterAll(() => world.drop())

async function expectNoQueue(): Promise<void> {
  const broker = connectBroker({ url: world.urls.amqp, name: 'test', logger: world.settings.logger })
  try {
    for (const toSide of ['service', 'monolith'] as const)
      await expect(broker.depth(laneQueue({ context: 'goods', toSide }))).rejects.toThrow(/NOT_FOUND/)
  } finally {
    await broker.close()
  }
}

it('a mover whose change of the row was not taken adopts no token by it', async () => {
  const plan = world.settings.plans.get('goods')!
  const lanes = createLanes(plan, { monolith: world.db.shop, service: world.db.goods })
  const run = { control: world.db.control, plan, lanes } as Runtime
  const stored = await world.stored()
  await unprepare(run, { ...stored, phase: 'ready' })
  await unprepare(run, { ...stored, step: 'unpreparing' })
  expect(lanes.adopted()).toBeNull()
  expect(await world.stored()).toEqual(stored)
})

it('unprepare leaves nothing behind: foreign keys are back, queues and captured changes are gone', async () => {
  const mover = world.start()
  expect(await world.ask('prepare')).toMatchObject({ state: 'done' })
  await mover.stop()
  const { token } = await world.stored()
  const shop = openDb(world.urls.shop, { name: 'test', max: 2 })
  await dropCrossingKeys(shop, { context: 'goods', token }, [{ schema: 'public', name: 'products' }])
  await shop.end()
  await world.db.shop.query('update products set price = 2 where id = 1')
  const unprepared = world.ask('unprepare')
  world.start()
  expect(await unprepared).toMatchObject({ state: 'done' })
  const { rows } = await world.db.shop.query(
    "select convalidated from pg_constraint where conname = 'order_items_product_id_fkey'",
  )
  expect(rows).toEqual([{ convalidated: true }])
  for (const db of [world.db.shop, world.db.goods])
    expect((await db.query('select from banyan.changes')).rowCount).toBe(0)
  await expectNoQueue()
})

it('the copies are emptied when every proxy has seen that no read may go there, and not before', async () => {
  const { control, goods } = world.db
  expect(await world.ask('prepare')).toMatchObject({ state: 'done' })
  expect(await world.ask('backfill')).toMatchObject({ state: 'done' })
  await control.query(
    `insert into banyan.subscribers (context, id, kind, epoch_seen, lease_until)
     select 'goods', kind, kind, 1, clock_timestamp() + interval '1 hour' from unnest(array['proxy', 'worker']) as kind`,
  )
  const rows = async () => (await goods.query('select from products')).rowCount
  const unprepared = world.ask('unprepare')
  await until('the mover to wait for the proxy', 20_000, async () => {
    const { rows } = await control.query(
      `select from banyan.intents where state = 'running' and waits_for = 'reads to be back at the monolith, at proxy proxy'`,
    )
    return rows.length > 0
  })
  expect(await rows()).toBe(20)
  await control.query(
    `update banyan.subscribers s set epoch_seen = c.epoch from banyan.contexts c
     where c.context = s.context and s.kind = 'proxy'`,
  )
  expect(await unprepared).toMatchObject({ state: 'done' })
  expect(await rows()).toBe(0)
})

it('a prepare that is refused leaves no queue behind', async () => {
  await world.db.goods.query("insert into products (sku, price) values ('too early', 1)")
  const waitsFor = expect.stringContaining('goods.products holds rows already')
  expect(await world.ask('prepare')).toMatchObject({ state: 'refused', waitsFor })
  await expectNoQueue()
})
