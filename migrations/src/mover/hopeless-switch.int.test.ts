import { armFailPoints } from '@banyan/kit/service'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { createWorld, PLAN, until, type World } from './testing/world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld({ rows: 5, plan: `${PLAN}sequences: [numbers]\n` })
  for (const db of [world.db.shop, world.db.goods]) await db.query('create sequence numbers')
  world.start({ budgetMs: 60_000 })
  await world.makeReady()
})
afterEach(() => armFailPoints('').disarm())
afterAll(() => world.drop())

it.each([
  ['marker', 'after-marker', 'table banyan.row_version'],
  ['sequences', 'before-sequences', 'sequence public.numbers'],
])(
  'a step "%s" that the database refuses for good ends the attempt at once, and no other one begins',
  async (step, point, thing) => {
    const { control, goods, shop } = world.db
    const name = thing.replace(/^\w+ /, '')
    const armed = armFailPoints(`mover.switch.${point}=once:hang`)
    const intent = await world.comeTo(`mover.switch.${point}`, armed)
    await goods.query(`alter ${thing} rename to away`)
    armed.release(`mover.switch.${point}`)
    const { state, result } = await world.endOf(intent)
    await goods.query(`alter ${thing.replace(/\.\w+$/, '.away')} rename to ${name.replace(/^\w+\./, '')}`)
    const reason = `${step}: relation "${name}" does not exist`
    expect([state, result?.because]).toEqual([
      'failed',
      expect.stringContaining(`aborted after 1 attempt(s): ${reason}; the monolith writes on`),
    ])
    const { rows } = await control.query(
      'select result, reason from banyan.attempts where intent = (select max(id) from banyan.intents)',
    )
    expect(rows).toEqual([{ result: 'aborted', reason }])
    await shop.query('update products set price = price + 1 where id = 1')
  },
)

it('mended, it is switched', async () => {
  await until('a switch that no lag refuses', 30_000, async () => (await world.ask('switch')).state !== 'refused')
  expect(await world.stored()).toMatchObject({ owner: 'service' })
})
