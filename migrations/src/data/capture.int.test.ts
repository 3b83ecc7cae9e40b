import { afterEach, expect, test } from 'vitest'
import { checkCapture, installCapture } from './capture.ts'
import { reversedLane } from './lane.ts'
import { copyAll, createLane, drain, type FixtureOptions, type LaneFixture, rowsOf } from './testing/lane-fixture.ts'

let it: LaneFixture
const start = async (options: FixtureOptions) => {
  it = await createLane(options)
}
afterEach(() => it.drop())

const captured = async (lane = it.lane) =>
  (
    await lane.from.query(
      'select op::text as op, key, row from banyan.changes where context = $1 and tbl <> $2 order by id',
      [lane.context, 'banyan.canary'],
    )
  ).rows
const ITEMS = 'create table items (id int primary key, name text unique)'

test('rule 1: a session in replica role, and a superuser, are captured all the same, on both sides', async () => {
  await start({ ddl: ITEMS, tables: ['items'] })
  await it.sourceAdmin.query(`set session_replication_role = replica; insert into items values (1, 'a')`)
  expect(await captured()).toHaveLength(1)
  await it.targetAdmin.query(`alter table items disable trigger "!!banyan_fence"; insert into items values (1, 'a')`)
  expect(await captured(it.back)).toHaveLength(1)
})

test('rule 1: ids of one row grow in commit order while many sessions fight for it', async () => {
  await start({ ddl: 'create table items (id int primary key, name text)', tables: ['items'] })
  await it.sourceApp.query(`insert into items values (1, '0')`)
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let round = 0; round < 25; round++) {
        const way = round % 3
        if (way === 0) await it.sourceApp.query(`update items set name = (name::int + 1)::text where id = 1`)
        else if (way === 1) await it.sourceApp.query(`delete from items where id = 1`)
        else await it.sourceApp.query(`insert into items values (1, '0') on conflict (id) do update set name = '0'`)
      }
    }),
  )
  await drain(it.lane)
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual(await rowsOf(it.sourceAdmin, 'items'))
  const { rows } = await it.sourceAdmin.query(
    `select seqcache from pg_sequence where seqrelid = pg_get_serial_sequence('banyan.changes', 'id')::regclass`,
  )
  expect(rows[0].seqcache).toBe('1')
})

test('rule 1: a sequence with a cache is a fault', async () => {
  await start({ ddl: ITEMS, tables: ['items'] })
  expect(await checkCapture(it.lane)).toEqual([])
  await it.sourceAdmin.query('alter sequence banyan.changes_id_seq cache 20')
  expect(await checkCapture(it.lane)).toEqual([expect.stringContaining('cache')])
})

test('rule 2: an AFTER trigger that rewrites the row, and sorts before any ordinary name, leaves the newer image', async () => {
  const ddl = `${ITEMS}; create function rewrite() returns trigger language plpgsql as $$ begin
      if new.name not like '%!' then update items set name = new.name || '!' where id = new.id; end if; return null; end $$;
    create trigger " first" after insert or update on items for each row execute function rewrite()`
  await start({ ddl, tables: ['items'], prepare: false })
  await installCapture(it.lane)
  // A name before ours is a fault; any other name fires after the capture.
  expect(await checkCapture(it.lane)).toEqual([expect.stringContaining('" first" fires before')])
  await it.sourceAdmin.query('alter trigger " first" on items rename to "aaa"')
  expect(await checkCapture(it.lane)).toEqual([])
  await it.sourceApp.query(`insert into items values (1, 'a'), (2, 'b')`)
  const last = new Map((await captured()).map((change) => [change.key, change.row.name]))
  expect([...last]).toEqual([
    ['["1"]', 'a!'],
    ['["2"]', 'b!'],
  ])
})

test('rule 2: a row that a trigger of an earlier row rewrote, or deleted, is captured as it is', async () => {
  const ddl = `${ITEMS}; create function meddle() returns trigger language plpgsql as $$ begin
      if new.id = 1 then update items set name = 'meddled' where id = 2; delete from items where id = 3; end if;
      return null; end $$;
    create trigger meddle after update of name on items for each row execute function meddle()`
  await start({ ddl, tables: ['items'] })
  await it.sourceApp.query(`insert into items values (1, 'a'), (2, 'b'), (3, 'c')`)
  await it.sourceApp.query(`update items set name = name || 'x' where id in (1, 2, 3)`)
  const last = new Map((await captured()).map((change) => [change.key, change.row?.name ?? change.op]))
  expect(last.get('["2"]')).toBe('meddled')
  expect(last.get('["3"]')).toBe('d')
  await drain(it.lane)
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual(await rowsOf(it.sourceAdmin, 'items'))
})

test('rule 2: what a BEFORE trigger of a later row does to an earlier one is the last image of that row', async () => {
  const ddl = `create table ranks (id int primary key, pos int);
    create function shove() returns trigger language plpgsql as $$ begin
      update ranks set pos = pos + 1 where pos >= new.pos; return new; end $$;
    create trigger shove before insert on ranks for each row execute function shove()`
  await start({ ddl, tables: ['ranks'] })
  await it.sourceApp.query('insert into ranks values (1, 1), (2, 1)')
  const last = new Map((await captured()).map((change) => [change.key, change.row.pos]))
  expect(last.get('["1"]')).toBe('2')
  await drain(it.lane)
  expect(await rowsOf(it.targetAdmin, 'ranks')).toEqual(await rowsOf(it.sourceAdmin, 'ranks'))
})

test.each([
  [
    'a trigger',
    `create function nothing() returns trigger language plpgsql as $$ begin return null; end $$;
     create trigger late after insert on items for each row execute function nothing()`,
  ],
  ['an acting foreign key', 'create table others (id int primary key, item int references items on delete set null)'],
])('rule 2: %s that comes later makes the trusting capture a fault', async (_, late) => {
  await start({ ddl: ITEMS, tables: ['items'] })
  await it.sourceAdmin.query(late)
  expect(await checkCapture(it.lane)).toEqual([expect.stringContaining('not the one that this table needs now')])
  await installCapture(it.lane)
  expect(await checkCapture(it.lane)).toEqual([])
})

test('rule 2: a capture that re-reads stays right when the crossing key that asked for it is gone, as in a switch', async () => {
  await start({
    ddl: `${ITEMS}; create table others (id int primary key, item int references items on delete set null)`,
    tables: ['items'],
  })
  expect(await checkCapture(it.lane)).toEqual([])
  await it.sourceAdmin.query('alter table others drop constraint others_item_fkey')
  expect(await checkCapture(it.lane)).toEqual([])
})

test('rule 2: cascades are captured, and what they delete is deleted on the other side', async () => {
  const ddl = `create table parents (id int primary key);
    create table children (id int primary key, parent int references parents on delete cascade on update cascade)`
  await start({ ddl, tables: ['parents', 'children'] })
  await it.sourceApp.query(`insert into parents values (1), (2); insert into children values (1, 1), (2, 2), (3, 1)`)
  await copyAll(it.lane)
  await it.sourceApp.query(`delete from parents where id = 1; update parents set id = 20 where id = 2`)
  await drain(it.lane)
  for (const table of ['parents', 'children']) {
    expect(await rowsOf(it.targetAdmin, table)).toEqual(await rowsOf(it.sourceAdmin, table))
  }
  expect(await rowsOf(it.targetAdmin, 'children')).toEqual(['(2,20)'])
})

test('rule 3: a change of the key is a delete and an upsert, in one transaction', async () => {
  await start({ ddl: ITEMS, tables: ['items'] })
  await it.sourceApp.query(`insert into items values (1, 'a')`)
  await it.sourceApp.query(`update items set id = 2 where id = 1`)
  expect((await captured()).slice(1)).toMatchObject([
    { op: 'd', key: '["1"]', row: null },
    { op: 'u', key: '["2"]', row: { id: '2', name: 'a' } },
  ])
  await drain(it.lane)
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual(['(2,a)'])
})

test('rule 4: the text of a value does not depend on the settings of who writes it', async () => {
  // A table a type: one that needs a setting would otherwise get it for the sake of its neighbour.
  const values = {
    timestamptz: `'2024-03-05 06:07:08.123456+00'`,
    timestamp: `'2024-03-05 06:07:08'`,
    date: `'2024-03-05'`,
    interval: `'1 year 2 mons -3 days'`,
    float4: '1::float4 / 3',
    float8: '0.1::float8 + 0.2',
    bytea: `'\\x00ff'`,
    money: '12.34::numeric::money',
    'date[]': `'{2024-03-05}'`,
  }
  const types = Object.keys(values) as (keyof typeof values)[]
  const tables = types.map((_, place) => `items${place}`)
  const ddl = types.map((type, place) => `create table items${place} (id int primary key, value ${type});`).join(' ')
  await start({ ddl, tables })
  for (const [place, type] of types.entries())
    await it.sourceApp.query(`insert into items${place} values (1, ${values[type]})`)
  const odd = await it.sourceApp.connect()
  await odd.query(`set datestyle = 'SQL, DMY'; set intervalstyle = 'iso_8601'; set timezone = 'Asia/Tokyo';
    set extra_float_digits = -3; set bytea_output = 'escape'; set search_path = 'public'`)
  for (const table of tables) await odd.query(`insert into public.${table} select 2, value from ${table} where id = 1`)
  odd.release(true)
  const all = await captured()
  for (const [place, type] of types.entries())
    expect(all[types.length + place].row.value, type).toBe(all[place].row.value)
  await drain(it.lane)
  for (const table of tables) expect(await rowsOf(it.targetAdmin, table)).toEqual(await rowsOf(it.sourceAdmin, table))
})

test('rule 4: nothing that a writer puts in its search_path gets into the capture', async () => {
  await start({ ddl: ITEMS, tables: ['items'] })
  await it.sourceAdmin.query(`create schema theirs; grant usage on schema theirs to public;
    create function theirs.jsonb_build_object(text, text, text, text) returns jsonb language sql as 'select null::jsonb'`)
  const odd = await it.sourceApp.connect()
  await odd.query(`set search_path = theirs, public, pg_catalog; insert into items values (1, 'a')`)
  odd.release(true)
  expect(await captured()).toMatchObject([{ row: { id: '1', name: 'a' } }])
})

test("rule 4: the mover's mark needs the mover's role; its writes are neither captured nor fenced", async () => {
  await start({ ddl: ITEMS, tables: ['items'] })
  await it.sourceApp.query(`begin; set local banyan.applying = 'on'; insert into items values (1, 'a'); commit`)
  expect(await captured()).toHaveLength(1)
  await it.lane.from.query(`begin; set local banyan.applying = 'on'; insert into public.items values (2, 'b'); commit`)
  expect(await captured()).toHaveLength(1)
  // After a SET LOCAL the setting is '' in that session, not unset.
  await it.lane.from.query(`insert into public.items values (3, 'c')`)
  expect(await captured()).toHaveLength(2)
  await expect(
    it.targetApp.query(`begin; set local banyan.applying = 'on'; insert into items values (1, 'a'); commit`),
  ).rejects.toMatchObject({ code: 'BN001' })
})

test('rule 5: a change carries the move of its trigger, and one of an older move is discarded', async () => {
  await start({ ddl: ITEMS, tables: ['items'] })
  await it.sourceApp.query(`insert into items values (1, 'old')`)
  const { rows } = await it.sourceAdmin.query('select id::text, move::text from banyan.changes')
  expect(rows[0].move).toBe('1')
  const next = { ...it.lane, move: 2n, token: 2n }
  const snapshot = await it.sourceApp.connect()
  await snapshot.query('begin isolation level repeatable read; select 1')
  await installCapture(next)
  await installCapture(reversedLane(next))
  // Its snapshot is of before the second prepare; its change is not.
  await snapshot.query(`insert into items values (2, 'new')`)
  await snapshot.query('commit')
  snapshot.release()
  const after = await it.sourceAdmin.query('select move::text from banyan.changes')
  expect(after.rows).toEqual([{ move: '2' }])
  const { applyBatch } = await import('./apply.ts')
  const stale = { context: 'shop', move: '1', op: 'u', tbl: 'public.items', key: '["1"]', token: null } as const
  await applyBatch(next, [{ ...stale, id: rows[0].id, row: '{"id": "1", "name": "old"}' }])
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual([])
})

test('rule 5: what an older move left behind neither blocks nor shadows the next one', async () => {
  await start({ ddl: ITEMS, tables: ['items'] })
  await it.sourceApp.query(`insert into items values (1, 'a')`)
  await copyAll(it.lane)
  await it.sourceApp.query('delete from items where id = 1')
  await drain(it.lane)
  const next = { ...it.lane, move: 2n, token: 2n }
  await installCapture(next)
  await installCapture(reversedLane(next))
  await it.sourceAdmin.query(`alter table items disable trigger all; insert into items values (1, 'again');
    alter table items enable trigger all; alter table items enable always trigger "!banyan_capture"`)
  await copyAll(next)
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual(['(1,again)'])
})

test('TRUNCATE is refused on both sides, for owners and superusers too', async () => {
  await start({ ddl: ITEMS, tables: ['items'] })
  for (const db of [it.sourceApp, it.sourceAdmin, it.targetAdmin]) {
    await expect(db.query('truncate items')).rejects.toThrow(/TRUNCATE of public.items is refused/)
  }
  await expect(it.sourceAdmin.query('set session_replication_role = replica; truncate items')).rejects.toThrow(
    /refused/,
  )
})
