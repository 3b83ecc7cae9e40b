import { afterAll, beforeAll, expect, it } from 'vitest'
import { createWorld, PLAN, type World } from '../mover/testing/world.ts'
import { checkTables } from './check-tables.ts'
import { parsePlan } from './read.ts'

let world: World
beforeAll(async () => {
  world = await createWorld({ rows: 5 })
})
afterAll(() => world.drop())

const sides = () => ({ monolith: world.db.shop, service: world.db.goods })
const faultsOf = async (text: string) =>
  (await checkTables(parsePlan('plan.yaml', text), sides())).filter(({ ok }) => !ok).map(({ message }) => message)

it.each([
  ['numeric', 1],
  ['numeric(10,2)', 0],
  ['double precision', 1],
  ['interval', 1],
  ['text', 0],
  ['text collate "any case"', 1],
  ['char(4)', 0],
  ['amount', 1],
  ['price', 0],
])('a key of type %s is one by which changes can be told apart, or is refused', async (type, faults) => {
  for (const db of [world.db.shop, world.db.goods])
    await db.query(`
      drop table if exists keyed; drop domain if exists amount, price; drop collation if exists "any case";
      create domain amount as numeric; create domain price as numeric(10,2);
      create collation "any case" (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      create table keyed (id ${type} primary key)`)
  const found = await faultsOf('context: goods\ndatabases: { monolith: shop, service: goods }\ntables: [keyed]\n')
  expect(found).toHaveLength(2 * faults)
  for (const one of found) expect(one).toContain('two texts may be one value (id ')
})

it('a table that moves with another context is refused with its name', async () => {
  world.start()
  expect(await world.ask('prepare')).toMatchObject({ state: 'done' })
  expect(await faultsOf(PLAN)).toEqual([])
  expect(await faultsOf(PLAN.replace('context: goods', 'context: depot'))).toEqual(
    ['shop.products', 'shop.stock', 'goods.products', 'goods.stock'].map(
      (table) => `${table} moves with the context "goods"`,
    ),
  )
})
