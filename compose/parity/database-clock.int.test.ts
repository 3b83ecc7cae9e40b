import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, type Disposable } from '../../tests/support/infra.ts'
import { connected } from '../provision/database.ts'
import { leadToClock, makeClock } from './database-clock.ts'

const SHIFT_MS = 400 * 86_400_000
let database: Disposable
let copy: Disposable
let world: pg.Client

beforeAll(async () => {
  database = await createTestDatabase()
  await connected(database.url, async (db) => {
    await db.query(`
      create schema other
      create table other.goods (
        id int primary key, began timestamptz default now(), wrote timestamptz default clock_timestamp(),
        ends timestamptz default now() + interval '1 hour', standard timestamptz default current_timestamp,
        local timestamp, given timestamptz, twice timestamptz generated always as (given) stored)`)
    await db.query(`create function other.definer(id int) returns timestamptz language sql security definer
      set search_path = other, pg_temp as 'insert into goods (id, given) values (id, clock_timestamp()) returning given'`)
    await makeClock(db, SHIFT_MS)
  })
  // The world's database is a copy of the one with the seed.
  copy = await createTestDatabase(new URL(database.url).pathname.slice(1))
  await connected(copy.url, (db) => leadToClock(db, new URL(copy.url).pathname.slice(1)))
  world = new pg.Client({ connectionString: copy.url })
  await world.connect()
})
afterAll(async () => {
  await world?.end()
  await copy?.drop()
  await database?.drop()
})

/** By how many whole seconds the columns of a statement's row are ahead of the server's clock. */
async function ahead(statement: string): Promise<Record<string, number>> {
  const { rows } = await world.query(statement)
  const { rows: clock } = await world.query('select pg_catalog.clock_timestamp() as at')
  const entries = Object.entries(rows[0] as Record<string, Date>)
  return Object.fromEntries(
    entries.map(([name, at]) => [name, Math.round((at.getTime() - clock[0].at.getTime()) / 60_000)]),
  )
}
const SHIFT = SHIFT_MS / 60_000

it('is told to whoever asks, and to the columns that ask by default', async () => {
  expect(await ahead('select now(), transaction_timestamp() t, statement_timestamp() s, clock_timestamp() c')).toEqual({
    ...{ now: SHIFT, t: SHIFT, s: SHIFT, c: SHIFT },
  })
  expect(await ahead('insert into other.goods (id) values (1) returning began, wrote, ends, standard')).toEqual({
    began: SHIFT,
    wrote: SHIFT,
    ends: SHIFT + 60,
    standard: SHIFT,
  })
})

it('is written for CURRENT_TIMESTAMP, and a time that was given stays', async () => {
  expect(
    await ahead(`insert into other.goods (id, standard, local, given)
      values (2, current_timestamp, localtimestamp, pg_catalog.now() - interval '1 hour') returning standard, local, given`),
  ).toEqual({ standard: SHIFT, local: SHIFT, given: -60 })
  expect(await ahead('update other.goods set given = current_timestamp where id = 1 returning given, began')).toEqual({
    given: SHIFT,
    began: SHIFT,
  })
})

it('is asked by a function that has a search path of its own', async () => {
  expect(await ahead('select other.definer(3)')).toEqual({ definer: SHIFT })
})

it('leaves what is made without a schema where it was made', async () => {
  await world.query('create table here (at timestamptz default now())')
  expect((await world.query(`select to_regclass('public.here') is not null as public`)).rows).toEqual([
    { public: true },
  ])
  expect(await ahead('insert into here default values returning at')).toEqual({ at: SHIFT })
})
