import { connectBroker } from '@banyan/kit/broker'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { laneQueue } from '../data/change-lane.ts'
import { dropCrossingKeys } from '../data/crossing-keys.ts'
import { openDb } from '../data/open-db.ts'
import { unprepare } from './act/prepare.ts'
import { createLanes } from './lanes.ts'
import type { Runtime } from './runtime.ts'
import { createWorld, type World } from './testing/world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld({ rows: 20 })
})
afterAll(() => world.drop())

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
  const logger = world.settings.logger
  const broker = connectBroker({ url: world.urls.amqp, name: 'test', logger })
  try {
    for (const toSide of ['service', 'monolith'] as const)
      await expect(broker.depth(laneQueue({ context: 'goods', toSide }))).rejects.toThrow(/NOT_FOUND/)
  } finally {
    await broker.close()
  }
})
