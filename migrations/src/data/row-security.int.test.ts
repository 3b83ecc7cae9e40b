import { afterEach, beforeEach, expect, it } from 'vitest'
import { copyNextChunk } from './copy.ts'
import { copyProgress, startCopy } from './copy-progress.ts'
import { fenceSource } from './fence.ts'
import { fingerprint } from './fingerprint.ts'
import { repairRow } from './repair.ts'
import { copyAll, createLane, drain, type LaneFixture, rowsOf } from './testing/lane-fixture.ts'
import { verifyTable } from './verify.ts'

const HIDDEN = /query would be affected by row-level security policy for table "items"/

let fixture: LaneFixture
beforeEach(async () => {
  fixture = await createLane({
    // A trigger has every row read again by its capture.
    ddl: `create table items (id int primary key, name text);
      create function touch() returns trigger language plpgsql as 'begin return new; end';
      create trigger touch before update on items for each row execute function touch()`,
    tables: ['items'],
  })
  await fixture.sourceApp.query(`insert into items select n, 'x' from generate_series(1, 20) n`)
})
afterEach(() => fixture.drop())

/** The application sees every row; whoever owns the table, and the mover with it, sees none. */
const hide = () =>
  fixture.sourceAdmin.query(`alter table items enable row level security; alter table items force row level security;
    create policy app on items using (current_user like 't@_app@_%' escape '@') with check (true)`)

it('rule 23: rows that a policy hides from the mover fail the copy, rather than being left out', async () => {
  const { lane } = fixture
  await startCopy(lane)
  await hide()
  await expect(copyNextChunk(lane, lane.tables[0]!)).rejects.toThrow(HIDDEN)
  expect(await copyProgress(lane)).toMatchObject([{ done: false, rowsCopied: 0 }])
})

it('rows that a policy hides from the mover are neither equal nor gone', async () => {
  const { lane } = fixture
  await copyAll(lane)
  await drain(lane)
  await hide()
  await expect(verifyTable(lane, lane.tables[0]!)).rejects.toThrow(HIDDEN)
  await expect(repairRow(lane, lane.tables[0]!, '["1"]')).rejects.toThrow(HIDDEN)
  expect(await rowsOf(fixture.targetAdmin, 'items')).toHaveLength(20)
})

it('rule 4: a row that a policy hides is not captured as one that is gone', async () => {
  const { lane } = fixture
  await copyAll(lane)
  await drain(lane)
  await hide()
  await expect(fixture.sourceApp.query(`update items set name = 'y' where id = 1`)).rejects.toThrow(HIDDEN)
  await drain(lane)
  expect(await rowsOf(fixture.targetAdmin, 'items')).toContain('(1,x)')
  await fixture.sourceAdmin.query('alter table items no force row level security')
  await fixture.sourceApp.query(`update items set name = 'y' where id = 1`)
  await drain(lane)
  expect(await rowsOf(fixture.targetAdmin, 'items')).toContain('(1,y)')
})

it.each(['enable', 'force'])('rule 18: row level security that has been set to %s stops the fence', async (what) => {
  const { lane } = fixture
  const tables = lane.tables.map(({ source }) => source)
  if (what === 'force') await fixture.sourceAdmin.query('alter table items enable row level security')
  const before = await fingerprint(lane.from, tables)
  await fixture.sourceAdmin.query(`alter table items ${what} row level security`)
  await expect(fenceSource(lane, { fingerprint: before.hash })).rejects.toThrow('changed in structure')
})
