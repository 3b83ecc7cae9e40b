import pg from 'pg'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { createTestDatabase } from '../../tests/support/infra.ts'
import { compare } from './compare.ts'
import { createRowWatch, type RowWatch } from './row-watch.ts'
import { createRuleBook, ruleShape } from './rules.ts'

type Place = { url: string; drop(): Promise<void>; client: pg.Client; watch: RowWatch }
let places: Place[]

/** Twice the same rows, under other ids, as where each side gives its own. */
beforeAll(async () => {
  places = await Promise.all(
    [10, 20].map(async (first) => {
      const { url, drop } = await createTestDatabase()
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      await client.query('create table items (part text, no int, name text, primary key (part, no))')
      await client.query("insert into items select 'a', n + $1::int, 'item ' || n from generate_series(1, 5) n", [
        first,
      ])
      const table = { table: 'items', as: 'things', columns: { no: { to: 'number' } } }
      return { url, drop, client, watch: createRowWatch({ url, tables: [table], context: 'goods' }) }
    }),
  )
})
afterAll(async () => {
  for (const { client, watch, drop } of places) {
    await watch.close()
    await client.end()
    await drop()
  }
})
beforeEach(() => Promise.all(places.map(({ watch }) => watch.begin())))

const RULES = [
  ruleShape.parse({ at: '$..number', bijection: 'item', reason: 'each side counts by itself', until: '2030-01-01' }),
]
const did = async (left: string, right: string, rules = createRuleBook(RULES, '2026-01-01')) => {
  const [one, other] = places as [Place, Place]
  await Promise.all([one.client.query(left), other.client.query(right)])
  const [rows, others] = await Promise.all([one.watch.collect(), other.watch.collect()])
  const found = compare({ rows }, { rows: others }, 'delete', rules)
  return { things: rows.things, found: found.map(({ path, kind }) => `${path} ${kind}`) }
}

it('a deleted row shows by its key, in the names of the plan, also where another came for it', async () => {
  const gone = "insert into items values ('b', 1, 'new'); delete from items where part = 'a' and no ="
  expect(await did(`${gone} 11`, `${gone} 21`)).toEqual({
    things: {
      changed: [{ part: 'b', number: 1, name: 'new' }],
      added: 0,
      deleted: [{ part: 'a', number: 11 }],
    },
    found: [],
  })
})

it('a wrong deletion is a difference: the row that stands for another must go with it', async () => {
  const rules = createRuleBook(RULES, '2026-01-01')
  const touch = (no: number) => `update items set name = name where no = ${no}`
  expect((await did(touch(12), touch(22), rules)).found).toEqual([])
  expect((await did('delete from items where no = 12', 'delete from items where no = 23', rules)).found).toEqual([
    '$.rows.things.deleted[0].number value',
  ])
  expect((await did('delete from items where no = 14', 'select 1', rules)).found).toEqual([
    '$.rows.things.added value',
    '$.rows.things.deleted length',
  ])
})

it('a row that came and went within one request leaves nothing', async () => {
  const both = "insert into items values ('c', 1, 'x'); delete from items where part = 'c'"
  expect((await did(both, both)).things).toEqual({ changed: [], added: 0, deleted: [] })
})

it('changes nothing, whatever the SQL of a plan calls', async () => {
  const [{ url, client }] = places as [Place, Place]
  await client.query('create sequence numbers')
  const table = { table: 'items', as: 'items', columns: { name: { to: 'name', forward: "nextval('numbers') || $1" } } }
  const watch = createRowWatch({ url, tables: [table], context: 'goods' })
  await watch.begin()
  await client.query('update items set name = name')
  await expect(watch.collect()).rejects.toThrow('read-only transaction')
  await watch.close()
})
