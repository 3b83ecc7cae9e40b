import { armFailPoints } from '@banyan/kit/service'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { CAPTURE } from '../data/trigger-names.ts'
import { createWorld, type World } from './testing/world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld({ rows: 10 })
  world.start({ budgetMs: 60_000 })
  await world.makeReady()
})
afterEach(() => armFailPoints('').disarm())
afterAll(() => world.drop())

const SIDES = [
  ['shop', 'monolith'],
  ['goods', 'service'],
] as const
const refusedFor = async (why: string) =>
  expect(await world.ask('switch')).toMatchObject({ state: 'refused', waitsFor: expect.stringContaining(why) })

it.each(SIDES)('rule 18: a vacuum in %s, of the %s, holds a switch', async (database) => {
  const vacuuming = await world.db[database].connect()
  try {
    await vacuuming.query('begin; lock table products in share update exclusive mode')
    await refusedFor('the vacuum of public.products to end')
  } finally {
    vacuuming.release(true)
  }
})

it.each(SIDES)('rule 18: another schema in %s than the one prepared holds a switch', async (database, side) => {
  await world.db[database].query('alter table products add column extra int')
  await refusedFor(`the schema as it was prepared: ${side}: new: column public.products.extra`)
  await world.db[database].query('alter table products drop column extra')
})

it.each(SIDES)('rule 18: a capture in %s that is not whole holds a switch', async (database) => {
  await world.db[database].query(`alter table products disable trigger "${CAPTURE}"`)
  await refusedFor('the capture to be whole: public.products')
  await world.db[database].query(`alter table products enable always trigger "${CAPTURE}"`)
})

it('rule 18: a schema that changes after all that ends the attempt inside the fence', async () => {
  const armed = armFailPoints('mover.switch.before-fence=once:hang')
  const id = await world.comeTo('mover.switch.before-fence', armed)
  await world.db.shop.query('alter table products add column extra int')
  armed.release('mover.switch.before-fence')
  expect(await world.endOf(id)).toMatchObject({
    state: 'failed',
    result: { because: expect.stringContaining('changed in structure since it was verified') },
  })
  await world.db.shop.query('alter table products drop column extra; update products set price = price + 1')
})
