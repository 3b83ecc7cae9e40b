import { afterAll, beforeAll, expect, it } from 'vitest'
import { findCrossingKeys } from '../data/crossing-keys.ts'
import { createLane, type LaneFixture } from '../data/testing/lane-fixture.ts'
import { checkCrossingKeys } from './check-crossing-keys.ts'
import { parsePlan } from './read.ts'

const TABLES = `
  create table products (id int primary key);
  create table stock (product_id int primary key references products on delete cascade);`
const PLAN = 'context: shop\ndatabases: { monolith: old, service: new }\ntables: [products, stock]\n'

let fixture: LaneFixture
beforeAll(async () => {
  fixture = await createLane({
    ddl: `${TABLES}
      create schema legacy;
      create table legacy.stock (product_id int constraint old_stock_fkey references public.products on delete cascade);
      create table legacy.products (id int primary key);
      create table legacy.notes (product_id int references legacy.products);
      create table notes (product_id int constraint notes_fkey references products);`,
    targetDdl: TABLES,
    tables: ['products', 'stock'],
  })
})
afterAll(() => fixture.drop())

const findingsOf = (plan: string) =>
  checkCrossingKeys(parsePlan('plan.yaml', plan), { monolith: fixture.lane.from, service: fixture.lane.to })

it('names the keys that a switch would drop, those of a table of the same name in another schema too', async () => {
  const tables = fixture.lane.tables.map(({ source }) => source)
  const dropped = (await findCrossingKeys(fixture.lane.from, tables)).map(({ name }) => name)
  expect(dropped).toEqual(['old_stock_fkey', 'notes_fkey'])
  expect((await findingsOf(PLAN)).map(({ ok, message, remedy }) => [ok, message, remedy])).toEqual([
    [
      false,
      'foreign key old_stock_fkey of legacy.stock crosses the border to products',
      'name it under crossing-foreign-keys: { table: legacy.stock, constraint: old_stock_fkey, replacement: … }',
    ],
    [
      false,
      'foreign key notes_fkey of notes crosses the border to products',
      'name it under crossing-foreign-keys: { table: notes, constraint: notes_fkey }',
    ],
  ])
})

it('takes the names that it gave, and that of a table of the schema public with its schema as well', async () => {
  const named = `${PLAN}crossing-foreign-keys:
  - { table: legacy.stock, constraint: old_stock_fkey, replacement: an event }
  - { table: public.notes, constraint: notes_fkey }
`
  expect((await findingsOf(named)).map(({ ok, message }) => [ok, message])).toEqual([
    [true, 'old_stock_fkey of legacy.stock → products'],
    [true, 'notes_fkey of notes → products'],
  ])
})
