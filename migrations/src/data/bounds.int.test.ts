import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { copyNextChunk } from './copy.ts'
import { copyProgress, startCopy } from './copy-progress.ts'
import { emptyTarget } from './empty-target.ts'
import { installEngine } from './install.ts'
import { createLane, drain, type LaneFixture, rowsOf } from './testing/lane-fixture.ts'
import { verifyTable } from './verify.ts'

// What people do on a database of theirs must not stop the mover for longer than it lasts, nor the mover them.

const LOST_LOCK = { code: '55P03' }

let it: LaneFixture
beforeAll(async () => {
  it = await createLane({
    ddl: 'create table items (id int primary key, name text)',
    tables: ['items'],
    // Each row takes 5 ms to be read.
    rules: { items: { name: { forward: `name || left(pg_catalog.pg_sleep(0.005)::text, 0)`, back: 'name' } } },
  })
  await it.sourceApp.query(`insert into items select i, 'n' || i from generate_series(1, 100) i`)
  await it.sourceAdmin.query('delete from banyan.changes')
})
afterAll(() => it.drop())

async function whileLocked(db: pg.Pool, work: () => Promise<void>): Promise<void> {
  const other = await db.connect()
  try {
    await other.query('begin; lock table items in access exclusive mode')
    await work()
  } finally {
    await other.query('rollback')
    other.release()
  }
}
const table = () => it.lane.tables[0]!

test('to install what is there already waits for no writer, and keeps none waiting', async () => {
  const writer = await it.sourceApp.connect()
  await writer.query(`begin; insert into items values (1000, 'open')`)
  try {
    await installEngine(it.lane.from)
  } finally {
    await writer.query('rollback')
    writer.release()
  }
})

test('a copy that meets a locked table on either side gives way, so that the mover can be asked for something else', async () => {
  await whileLocked(it.sourceAdmin, () => expect(startCopy(it.lane)).rejects.toMatchObject(LOST_LOCK))
  await startCopy(it.lane)
  for (const straight of [true, false])
    for (const db of [it.sourceAdmin, it.targetAdmin])
      await whileLocked(db, () =>
        expect(copyNextChunk(it.lane, table(), { straight })).rejects.toMatchObject(LOST_LOCK),
      )
  expect(await copyProgress(it.lane)).toMatchObject([{ rowsCopied: 0, chunkRows: 5000 }])
})

test.each([true, false])(
  'a chunk that takes too long is cut, and goes on as smaller ones (straight: %s)',
  async (straight) => {
    await emptyTarget(it.lane)
    const small: number[] = []
    for (let round = 0; ; round++) {
      const chunk = await copyNextChunk(it.lane, table(), { straight, limitMs: 250 })
      small.push((await copyProgress(it.lane))[0]!.chunkRows)
      if (chunk.done) break
      expect(round).toBeLessThan(50)
    }
    expect(Math.min(...small)).toBeLessThan(100)
    await drain(it.lane)
    expect(await rowsOf(it.targetAdmin, 'items')).toEqual(await rowsOf(it.sourceAdmin, 'items'))
  },
)

test('a verification that meets a locked table gives way as well', async () => {
  for (const db of [it.sourceAdmin, it.targetAdmin])
    await whileLocked(db, () => expect(verifyTable(it.lane, table())).rejects.toMatchObject(LOST_LOCK))
  expect((await verifyTable(it.lane, table())).differences).toEqual([])
})
