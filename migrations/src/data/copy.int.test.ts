import { armFailPoints } from '@banyan/kit/service'
import { afterEach, expect, test } from 'vitest'
import { applyBatch } from './apply.ts'
import { relayOnce } from './changes-relay.ts'
import { copyNextChunk } from './copy.ts'
import { copyProgress, startCopy } from './copy-progress.ts'
import { reconcile } from './reconcile.ts'
import {
  copyAll,
  createLane,
  drain,
  type FixtureOptions,
  type LaneFixture,
  purgeSoon,
  rowsOf,
  Wire,
} from './testing/lane-fixture.ts'
import { underToken } from './token.ts'

let it: LaneFixture
const start = async (options: Partial<FixtureOptions> = {}) => {
  it = await createLane({
    ddl: 'create table items (id int primary key, name text unique)',
    tables: ['items'],
    ...options,
  })
}
afterEach(async () => {
  armFailPoints('').disarm()
  await it.drop()
})
const same = async () => expect(await rowsOf(it.targetAdmin, 'items')).toEqual(await rowsOf(it.sourceAdmin, 'items'))
const table = () => it.lane.tables[0]!

async function until(what: string, seen: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000
  while (!(await seen())) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Resolves when the copy has loaded a chunk and stands before its insert. */
const reached = (points: { reached(name: string): number }, name: string) =>
  until(name, async () => points.reached(name) > 0)

test('rule 13: a row deleted between the load of its chunk and the insert is not brought back', async () => {
  await start()
  await it.sourceApp.query(`insert into items values (1, 'a'), (2, 'b')`)
  await startCopy(it.lane)
  const points = armFailPoints('copy.loaded=once:hang')
  const chunk = copyNextChunk(it.lane, table(), { straight: false })
  await reached(points, 'copy.loaded')
  await it.sourceApp.query('delete from items where id = 1')
  await drain(it.lane)
  points.release('copy.loaded')
  await chunk
  await same()
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual(['(2,b)'])
})

test('rule 13: a row changed between the load of its chunk and the insert keeps the newer image', async () => {
  await start()
  await it.sourceApp.query(`insert into items values (1, 'a')`)
  await startCopy(it.lane)
  const points = armFailPoints('copy.loaded=once:hang')
  const chunk = copyNextChunk(it.lane, table(), { straight: false })
  await reached(points, 'copy.loaded')
  await it.sourceApp.query(`update items set name = 'newer' where id = 1`)
  await drain(it.lane)
  points.release('copy.loaded')
  await chunk
  await same()
})

test('rule 14: a tombstone purged between load and insert makes the chunk load again', async () => {
  await start()
  await it.sourceApp.query(`insert into items values (1, 'a'), (2, 'b')`)
  await startCopy(it.lane)
  const points = armFailPoints('copy.loaded=once:hang')
  const chunk = copyNextChunk(it.lane, table(), { straight: false })
  await reached(points, 'copy.loaded')
  await it.sourceApp.query('delete from items where id = 1')
  await drain(it.lane)
  await reconcile(it.lane, 1_000_000n)
  expect(await purgeSoon(it.lane)).toBe(1)
  points.release('copy.loaded')
  await chunk
  await same()
})

test('rule 13: the straight form leaves a touched range to the general one', async () => {
  await start()
  await it.sourceApp.query(`insert into items values (1, 'a'), (2, 'b'), (3, 'c')`)
  await it.sourceApp.query(`update items set name = 'bb' where id = 2; delete from items where id = 3`)
  await drain(it.lane)
  await it.sourceAdmin.query(`alter table items disable trigger user; insert into items values (3, 'unseen')`)
  // A tombstone stands for row 3, and no change has come since: the chunk must not pass it.
  await copyAll(it.lane)
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual(['(1,a)', '(2,bb)'])
})

test('rule 12: a delete waits for the chunk that holds its row and has not committed, or the row would come back', async () => {
  await start()
  await it.sourceApp.query(`insert into items values (1, 'a')`)
  await startCopy(it.lane)
  const points = armFailPoints('copy.before-commit=once:hang')
  const chunk = copyNextChunk(it.lane, table())
  await reached(points, 'copy.before-commit')
  await it.sourceApp.query('delete from items where id = 1')
  const wire = new Wire()
  while ((await relayOnce(it.lane, wire)).confirmed > 0);
  const batch = applyBatch(it.lane, wire.take())
  await until('the batch to wait for the chunk, or to be through', async () => {
    const { rows } = await it.targetAdmin.query(
      `select from pg_locks where locktype = 'advisory' and not granted
         and database = (select oid from pg_database where datname = current_database())
       union all select from banyan.row_version`,
    )
    return rows.length > 0
  })
  points.release('copy.before-commit')
  await Promise.all([chunk, batch])
  await same()
})

test('a chunk whose mover dies before its commit is copied again, one that committed is not', async () => {
  await start()
  await it.sourceApp.query(`insert into items select i, 'n' || i from generate_series(1, 12000) i`)
  await startCopy(it.lane)
  const before = armFailPoints('copy.before-commit=once:throw')
  await expect(copyNextChunk(it.lane, table())).rejects.toThrow(/fail point/)
  before.disarm()
  expect(await copyProgress(it.lane)).toMatchObject([{ rowsCopied: 0, position: null }])
  const after = armFailPoints('copy.after-commit=once:throw')
  await expect(copyNextChunk(it.lane, table())).rejects.toThrow(/fail point/)
  after.disarm()
  expect(await copyProgress(it.lane)).toMatchObject([{ rowsCopied: 5000, position: '["5000"]', done: false }])
  await copyAll(it.lane)
  expect(await copyProgress(it.lane)).toMatchObject([{ rowsCopied: 12000, totalEstimate: 12000, done: true }])
  await same()
})

test('a collision on another unique key is put aside, tried again after the applier, and never dropped', async () => {
  await start()
  await it.sourceApp.query(`insert into items values (1, 'a'), (2, 'b'), (3, 'c')`)
  // The target holds a newer owner of "a" than the chunk will see.
  await underToken(it.lane.to, it.lane, 'share', ({ tx }) => tx.query(`insert into public.items values (9, 'a')`), {
    applying: true,
  })
  await startCopy(it.lane)
  expect(await copyNextChunk(it.lane, table())).toMatchObject({ done: false, aside: 1 })
  expect(await copyNextChunk(it.lane, table())).toMatchObject({ done: false, aside: 1 })
  await underToken(it.lane.to, it.lane, 'share', ({ tx }) => tx.query(`delete from public.items where id = 9`), {
    applying: true,
  })
  expect(await copyNextChunk(it.lane, table())).toMatchObject({ done: true, aside: 0 })
  await same()
})

test('rule 13: where one row of a chunk collides, another that was deleted meanwhile is not brought back', async () => {
  await start()
  await it.sourceApp.query(`insert into items values (1, 'a'), (2, 'b'), (3, 'c')`)
  await it.sourceAdmin.query('delete from banyan.changes')
  await underToken(it.lane.to, it.lane, 'share', ({ tx }) => tx.query(`insert into public.items values (9, 'a')`), {
    applying: true,
  })
  await startCopy(it.lane)
  const points = armFailPoints('copy.loaded=once:hang')
  const chunk = copyNextChunk(it.lane, table(), { straight: false })
  await reached(points, 'copy.loaded')
  await it.sourceApp.query('delete from items where id = 2')
  await drain(it.lane)
  points.release('copy.loaded')
  expect(await chunk).toMatchObject({ aside: 1 })
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual(['(3,c)', '(9,a)'])
})

test('the border is fixed at the start: rows that come later come as changes', async () => {
  await start()
  await it.sourceApp.query(`insert into items values (1, 'a'), (5, 'e')`)
  await it.sourceAdmin.query('delete from banyan.changes')
  await startCopy(it.lane)
  await it.sourceApp.query(`insert into items values (9, 'beyond')`)
  while (!(await copyNextChunk(it.lane, table())).done);
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual(['(1,a)', '(5,e)'])
  await drain(it.lane)
  await same()
})

test('composite and textual keys with odd values are cut into ranges without losing a row', async () => {
  await start({ ddl: 'create table items (kind text, at timestamptz, n int, name text, primary key (kind, at, n))' })
  await it.sourceApp.query(`insert into items
    select k, at, n, 'x' from unnest(array['', 'a''b', 'a\\b', '"q"', 'Ž', 'z,']) k,
      unnest(array['-infinity', '2024-01-01', 'infinity']::timestamptz[]) at, generate_series(-300, 300) n`)
  await it.sourceAdmin.query('delete from banyan.changes')
  await copyAll(it.lane)
  await same()
}, 60_000)

test('what the target keeps in another type is copied in the form in which a change brings it', async () => {
  await start({
    ddl: 'create table items (id int primary key, name boolean, note char(5))',
    targetDdl: 'create table items (id int primary key, name text, note text)',
  })
  await it.sourceApp.query(`insert into items values (1, true, 'ab'), (2, null, 'c')`)
  await it.sourceAdmin.query('delete from banyan.changes')
  await copyAll(it.lane)
  const copied = await rowsOf(it.targetAdmin, 'items')
  await it.sourceApp.query('update items set id = id')
  await drain(it.lane)
  expect([copied, await rowsOf(it.targetAdmin, 'items')]).toEqual([copied, copied])
})

test('an empty table is done at once', async () => {
  await start()
  await startCopy(it.lane)
  expect(await copyNextChunk(it.lane, table())).toMatchObject({ done: true, rows: 0 })
})
