import { armFailPoints } from '@banyan/kit/service'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { createWorld, PLAN, until, type World } from './testing/world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld({ rows: 5, plan: `${PLAN}sequences: [numbers]\n` })
  for (const db of [world.db.shop, world.db.goods]) await db.query('create sequence numbers')
  world.start({ budgetMs: 60_000 })
  for (const verb of ['prepare', 'backfill', 'verify'] as const)
    expect(await world.ask(verb)).toMatchObject({ state: 'done' })
})
afterEach(() => armFailPoints('').disarm())
afterAll(() => world.drop())

it('a step that the database refuses for good ends the attempt at once, and no other one begins', async () => {
  const { control, goods, shop } = world.db
  const armed = armFailPoints('mover.switch.before-sequences=once:hang')
  const switching = world.ask('switch')
  await until('the switch to come so far', 30_000, async () => armed.reached('mover.switch.before-sequences') > 0)
  // Nothing but this step uses it: what follows goes on.
  await goods.query('alter sequence numbers rename to away')
  armed.release('mover.switch.before-sequences')
  const { state, result } = await switching
  await goods.query('alter sequence away rename to numbers')
  const reason = 'sequences: relation "public.numbers" does not exist'
  expect([state, result?.because]).toEqual([
    'failed',
    expect.stringContaining(`aborted after 1 attempt(s): ${reason}; the monolith writes on`),
  ])
  const { rows } = await control.query(
    'select result, reason from banyan.attempts where intent = (select max(id) from banyan.intents)',
  )
  expect(rows).toEqual([{ result: 'aborted', reason }])
  await shop.query('update products set price = price + 1 where id = 1')
})

it('mended, it is switched', async () => {
  expect(await world.ask('switch')).toMatchObject({ state: 'done' })
})
