import { afterEach, expect, test } from 'vitest'
import { dropCrossingKeys, findCrossingKeys, restoreCrossingKeys, validateCrossingKeys } from './crossing-keys.ts'
import { fenceSource, unfenceTarget } from './fence.ts'
import { LockBusy } from './lock-retry.ts'
import { dependsOnTables, dropRetired, retireTables } from './retire.ts'
import { alignSequences } from './sequences.ts'
import { copyAll, createLane, drain, type FixtureOptions, type LaneFixture, rowsOf } from './testing/lane-fixture.ts'
import { raiseToken, SideOpen, TokenOverruled } from './token.ts'

let it: LaneFixture
const start = async (options: FixtureOptions) => {
  it = await createLane(options)
}
afterEach(() => it.drop())

const SEQUENCES = `
  create sequence shared_numbers;
  create table items (id bigserial primary key, n int generated always as identity,
    code int default nextval('shared_numbers'), name text);
  create table extra (id int primary key)`

async function switchOver(): Promise<void> {
  const lane = it.withToken(2n)
  await fenceSource(lane)
  await drain(lane)
  await raiseToken(lane.to, lane)
  await alignSequences(lane)
  await unfenceTarget(lane, { owner: 'service', term: 2n })
}

test('rule 19: after a switch no number is given out twice, rolled-back ones included', async () => {
  await start({ ddl: SEQUENCES, tables: ['items'] })
  await it.sourceApp.query(`insert into items (name) select 'x' from generate_series(1, 500)`)
  await it.sourceApp.query(`begin; insert into items (name) select 'gone' from generate_series(1, 100); rollback`)
  await copyAll(it.lane)
  await drain(it.lane)
  await switchOver()
  const { rows } = await it.targetApp.query(`insert into items (name) values ('new') returning id::int, n, code`)
  expect(rows[0].id).toBe(1601)
  expect(rows[0].n).toBe(1601)
  expect(rows[0].code).toBe(1601)
  await it.targetApp.query(`insert into items (name) select 'y' from generate_series(1, 1000)`)
})

test('rule 19: sequences never go back, keep their step, count down too, and refuse when there is no room', async () => {
  await start({ ddl: 'create table items (id int primary key)', tables: ['items'] })
  const declared = ['odd', 'down', 'ahead'].map((name) => {
    const sequence = { schema: 'public', name }
    return { source: sequence, target: sequence }
  })
  for (const db of [it.sourceAdmin, it.targetAdmin]) {
    await db.query(`create sequence odd increment 2 start 1; create sequence down increment -1; create sequence ahead;
      create sequence full_up maxvalue 100;
      do $$ begin execute format('alter table items owner to %I', (select tableowner from pg_tables where tablename = 'items')); end $$`)
    const { rows } = await db.query(`select tableowner from pg_tables where tablename = 'items'`)
    for (const name of ['odd', 'down', 'ahead', 'full_up']) {
      await db.query(`alter sequence ${name} owner to ${rows[0].tableowner}`)
    }
  }
  await it.sourceAdmin.query(`select setval('odd', 101), setval('down', -50), setval('ahead', 5)`)
  await it.targetAdmin.query(`select setval('ahead', 9000)`)
  expect(await alignSequences(it.lane, { declared, margin: 10n })).toEqual([
    { name: 'public.odd', next: 123n },
    { name: 'public.down', next: -61n },
    { name: 'public.ahead', next: 9011n },
  ])
  const full = { schema: 'public', name: 'full_up' }
  await expect(alignSequences(it.lane, { declared: [{ source: full, target: full }] })).rejects.toThrow(/no room/)
})

test('rule 19: the target stores the token before its sequences move, and an open side is left alone', async () => {
  await start({ ddl: SEQUENCES, tables: ['items'] })
  await alignSequences(it.withToken(4n))
  const { rows } = await it.targetAdmin.query(`select token::int from banyan.fence where context = 'shop'`)
  expect(rows[0].token).toBe(4)
  await unfenceTarget(it.withToken(4n), { owner: 'service', term: 2n })
  await expect(alignSequences(it.withToken(4n))).rejects.toThrow(SideOpen)
})

test('crossing foreign keys go before the fence and come back as they were, old rows checked last', async () => {
  await start({
    ddl: `create table products (id int primary key);
      create table lines (id int primary key, product int not null constraint to_product references products on delete restrict);
      create table carts (id int primary key, product int references products on delete cascade)`,
    tables: ['products'],
  })
  const products = [{ schema: 'public', name: 'products' }]
  await it.sourceApp.query('insert into products values (1), (2); insert into lines values (1, 1)')
  const found = await findCrossingKeys(it.lane.from, products)
  expect(found).toMatchObject([
    { table: { name: 'carts' }, onDelete: 'cascade', columns: ['product'] },
    { table: { name: 'lines' }, name: 'to_product', onDelete: 'restrict' },
  ])
  await dropCrossingKeys(it.lane.from, it.lane, products)
  expect(await findCrossingKeys(it.lane.from, products)).toEqual([])
  await it.sourceApp.query('insert into lines values (2, 99)')
  await restoreCrossingKeys(it.lane.from, it.lane)
  await restoreCrossingKeys(it.lane.from, it.lane)
  await expect(it.sourceApp.query('insert into lines values (3, 98)')).rejects.toMatchObject({ code: '23503' })
  expect(await validateCrossingKeys(it.lane.from, it.lane)).toMatchObject([{ name: 'to_product' }])
  await it.sourceApp.query('delete from lines where id = 2')
  expect(await validateCrossingKeys(it.lane.from, it.lane)).toEqual([])
  expect(await findCrossingKeys(it.lane.from, products)).toEqual(found)
})

test('rule 26: the old tables move away in the transaction that drops their fence', async () => {
  await start({ ddl: SEQUENCES, tables: ['items'] })
  await it.sourceApp.query(`insert into items (name) values ('kept')`)
  await copyAll(it.lane)
  await expect(retireTables(it.withToken(2n))).rejects.toThrow(SideOpen)
  await switchOver()
  // A move that fails at the very last takes the fence's end back with it.
  await it.sourceAdmin.query(`create schema retired; create table retired.items ();
    grant create, usage on schema retired to ${it.moverRole}`)
  await expect(retireTables(it.withToken(2n))).rejects.toMatchObject({ code: '42P07' })
  await expect(it.sourceApp.query(`insert into items (name) values ('early')`)).rejects.toMatchObject({ code: 'BN001' })
  await it.sourceAdmin.query('drop schema retired cascade')
  const writer = await it.sourceApp.connect()
  await writer.query(`prepare write as insert into public.items (name) values ('late')`)
  const attempts: Promise<unknown>[] = []
  const retiring = retireTables(it.withToken(2n))
  for (let n = 0; n < 20; n++) attempts.push(it.sourceApp.query(`insert into items (name) values ('late')`))
  for (const attempt of await Promise.allSettled(attempts)) {
    expect(attempt.status).toBe('rejected')
    expect(['BN001', '42P01']).toContain((attempt as PromiseRejectedResult).reason.code)
  }
  await retiring
  await expect(writer.query('execute write')).rejects.toThrow()
  writer.release(true)
  const { rows } = await it.sourceAdmin.query('select name from retired.items')
  expect(rows).toEqual([{ name: 'kept' }])
  expect(await rowsOf(it.targetAdmin, 'items')).toHaveLength(1)
})

test('rule 12: a mover that another one has overruled drops no retired table; the other waits for no lock for long', async () => {
  await start({ ddl: 'create table items (id int primary key)', tables: ['items'] })
  await copyAll(it.lane)
  const items = [{ name: 'items' }]
  await expect(dropRetired(it.lane.from, it.withToken(1n), items)).rejects.toThrow(SideOpen)
  await switchOver()
  await retireTables(it.withToken(2n))
  const stands = async () => {
    const { rows } = await it.sourceAdmin.query("select to_regclass('retired.items') is not null as stands")
    return rows[0].stands
  }
  await raiseToken(it.lane.from, it.withToken(3n))
  await expect(dropRetired(it.lane.from, it.withToken(2n), items)).rejects.toThrow(TokenOverruled)
  expect(await stands()).toBe(true)

  const reader = await it.sourceAdmin.connect()
  await reader.query('begin; select from retired.items')
  await expect(dropRetired(it.lane.from, it.withToken(3n), items, { deadlineMs: 1 })).rejects.toThrow(LockBusy)
  await reader.query('commit')
  reader.release()
  expect(await stands()).toBe(true)
  await dropRetired(it.lane.from, it.withToken(3n), items)
  expect(await stands()).toBe(false)
  await dropRetired(it.lane.from, it.withToken(3n), items)
})

test('what depends on the old tables is known before they are dropped, and asking drops nothing', async () => {
  await start({ ddl: 'create table items (id int primary key, name text)', tables: ['items'] })
  await it.sourceApp.query(`insert into items values (1, 'kept')`)
  await copyAll(it.lane)
  await switchOver()
  expect(await dependsOnTables(it.withToken(2n))).toBeNull()
  await it.sourceAdmin.query('create view names as select name from items')
  expect(await dependsOnTables(it.withToken(2n))).toContain('view public.names depends on table public.items')
  expect(await rowsOf(it.sourceAdmin, 'items')).toEqual(['(1,kept)'])
})
