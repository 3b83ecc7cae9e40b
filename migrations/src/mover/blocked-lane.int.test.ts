import { expect, it } from 'vitest'
import { createWorld, until } from './testing/world.ts'

it('a blocked change blocks its own move only: what is prepared anew is not held by it', async () => {
  const world = await createWorld({ rows: 20 })
  try {
    world.start()
    for (const verb of ['prepare', 'backfill'] as const) expect(await world.ask(verb)).toMatchObject({ state: 'done' })
    await world.db.goods.query('alter table products add constraint cheap check (price < 1000)')
    await world.db.shop.query('update products set price = 5000 where id = 7')
    await until('the lane to stand before the change', 20_000, async () => {
      const { rows } = await world.db.control.query("select seen ->> 'blocked' as blocked from banyan.sightings")
      return rows[0]?.blocked
    })
    expect(await world.ask('unprepare')).toMatchObject({ state: 'done' })
    await world.db.goods.query('alter table products drop constraint cheap')
    for (const verb of ['prepare', 'backfill', 'verify', 'switch'] as const)
      expect(await world.ask(verb)).toMatchObject({ state: 'done' })
  } finally {
    await world.drop()
  }
})
