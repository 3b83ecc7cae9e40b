import { setTimeout as pause } from 'node:timers/promises'
import { armFailPoints } from '@banyan/kit/service'
import { afterEach, expect, test } from 'vitest'
import { applyBatch } from './apply.ts'
import { appliedBeat, sendBeat } from './canary.ts'
import { relayOnce, startChangesRelay } from './changes-relay.ts'
import { fenceSource, unfenceTarget } from './fence.ts'
import type { Lane } from './lane.ts'
import { sendMarker } from './marker.ts'
import { reconcile, unproven } from './reconcile.ts'
import { repairRow } from './repair.ts'
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
import { verifyTable } from './verify.ts'

let it: LaneFixture
const start = async (options: Partial<FixtureOptions> = {}) => {
  it = await createLane({
    ddl: 'create table items (id int primary key, name text, note text)',
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

/** The mover's own write at the target: what a fault of hardware or of hands would leave. */
const meddle = (sql: string, lane: Lane = it.lane) =>
  underToken(lane.to, lane, 'share', ({ tx }) => tx.query(sql), { applying: true })

/** Relays and applies in the background, so that markers go through. */
function live(lane: Lane): { close(): Promise<void> } {
  const wire = new Wire()
  const relay = startChangesRelay(
    () => lane,
    {
      ...wire,
      declare: async () => undefined,
      consume: () => wire.consume(),
      async publish(name, messages) {
        const answers = await wire.publish(name, messages)
        await applyBatch(lane, wire.take())
        return answers
      },
    },
    { onError: () => undefined },
  )
  return relay
}

test('rows that are merely late, however many, keep a verification from no other row', async () => {
  await start()
  await it.sourceApp.query(`insert into items select n, 'name' from generate_series(1, 9) n`)
  await drain(it.lane)
  await meddle(`update public.items set note = 'lost' where id = 9`)
  await it.sourceApp.query(`update items set note = 'late' where id <= 3`)
  const verifying = verifyTable(it.lane, table(), { rangeRows: 3, maxDifferences: 2 })
  const marked = async () => (await it.sourceAdmin.query(`select from banyan.changes where op = 'm'`)).rowCount
  while (!(await marked())) await pause(5)
  const lane = live(it.lane)
  const { rows, differences, unsettled } = await verifying
  await lane.close()
  expect([rows, unsettled]).toEqual([9, []])
  expect(differences).toEqual([{ tbl: 'public.items', key: '["9"]', kind: 'different', columns: ['note'] }])
})

test('rule 14: a change that was discarded on its way is found, applied from the source, and only then purged', async () => {
  await start()
  await it.sourceApp.query(`insert into items values (1, 'a'), (2, 'b'), (3, 'c'); delete from items where id = 3`)
  const wire = new Wire()
  while ((await relayOnce(it.lane, wire)).confirmed > 0);
  // The broker confirmed all of them and lost the second and the last.
  await applyBatch(it.lane, [wire.take()[0]!])
  const { marker } = await fenceSource(it.lane)
  expect(await reconcile(it.lane, marker)).toMatchObject({ applied: 3, complete: true, blocked: null })
  await same()
  expect(await unproven(it.lane)).toBe(0)
  expect(await reconcile(it.lane, marker)).toMatchObject({ checked: 0, complete: true })
})

test('rule 14: a lower id that commits after a reconciliation is still proven by the next one', async () => {
  await start()
  const late = await it.sourceApp.connect()
  await late.query(`begin; insert into items values (1, 'late')`)
  await it.sourceApp.query(`insert into items values (2, 'early')`)
  await drain(it.lane)
  const first = await sendMarker(it.lane)
  expect(await reconcile(it.lane, first)).toMatchObject({ checked: 1, complete: true })
  await late.query('commit')
  late.release()
  await it.sourceAdmin.query('update banyan.changes set published_at = now()')
  expect(await reconcile(it.lane, first)).toMatchObject({ checked: 1, applied: 1, complete: true })
  await same()
})

test('rule 14: an unpublished change is not purged, and one that cannot be applied is named', async () => {
  await start()
  await it.targetAdmin.query('alter table items add constraint short check (length(name) < 3)')
  await it.sourceApp.query(`insert into items values (1, 'a'), (2, 'long name')`)
  expect(await reconcile(it.lane, 1000n)).toMatchObject({ complete: false, blocked: { key: '["2"]' } })
  await it.targetAdmin.query('alter table items drop constraint short')
  expect(await reconcile(it.lane, 1000n)).toMatchObject({ complete: true })
  expect(await unproven(it.lane)).toBe(2)
  await drain(it.lane)
  await reconcile(it.lane, 1000n)
  expect(await unproven(it.lane)).toBe(0)
})

test('rule 14: a tombstone goes only with the border that keeps its late duplicates out', async () => {
  await start()
  await it.sourceApp.query(`insert into items values (1, 'a')`)
  const wire = new Wire()
  await relayOnce(it.lane, wire)
  const [insert] = wire.take()
  await applyBatch(it.lane, [insert!])
  await it.sourceApp.query('delete from items where id = 1')
  await drain(it.lane)
  await reconcile(it.lane, 1000n)
  expect(await purgeSoon(it.lane)).toBe(1)
  expect((await it.targetAdmin.query('select from banyan.row_version')).rowCount).toBe(0)
  await applyBatch(it.lane, [insert!])
  await same()
})

test('rule 14: a tombstone goes before a chunk or after it, never between its look at the border and its insert', async () => {
  await start()
  await it.sourceApp.query(`insert into items values (1, 'a'); delete from items`)
  await drain(it.lane)
  await reconcile(it.lane, 1000n)
  const chunk = await it.targetAdmin.connect()
  await chunk.query(`begin; select pg_advisory_xact_lock_shared(hashtext('banyan.apply'), hashtext('shop'))`)
  const purging = purgeSoon(it.lane)
  const waiting = `select from pg_locks l join pg_database d on d.oid = l.database and d.datname = current_database()
    where l.locktype = 'advisory' and not l.granted`
  const until = performance.now() + 10_000
  while ((await chunk.query(waiting)).rowCount === 0 && performance.now() < until) await pause(5)
  const kept = await chunk.query('select from banyan.row_version where deleted')
  await chunk.query('commit')
  chunk.release()
  expect([kept.rowCount, await purging]).toEqual([1, 1])
})

test('rule 14: no border while a transaction of its moment is open, or a change below it is unproven', async () => {
  await start()
  const { purgeTombstones, takeMoment } = await import('./purge.ts')
  const open = await it.sourceApp.connect()
  await open.query(`begin; insert into items values (1, 'open')`)
  const moment = await takeMoment(it.lane)
  const early = await purgeTombstones(it.lane, moment)
  await open.query('commit')
  open.release()
  expect(early).toBeNull()
  expect(await purgeTombstones(it.lane, moment)).toBeNull()
  await drain(it.lane)
  await reconcile(it.lane, 1000n)
  await purgeSoon(it.lane)
})

test('rule 15: repair gives way to a change that comes after the source was read', async () => {
  await start()
  await it.sourceApp.query(`insert into items values (1, 'a')`)
  await drain(it.lane)
  await meddle(`update public.items set name = 'wrong'`)
  const points = armFailPoints('repair.after-read=once:hang')
  const repairing = repairRow(it.lane, table(), '["1"]')
  const until = performance.now() + 10_000
  while (points.reached('repair.after-read') === 0 && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await it.sourceApp.query(`update items set name = 'newest'`)
  await drain(it.lane)
  points.release('repair.after-read')
  expect(await repairing).toBe(true)
  expect(points.reached('repair.after-read')).toBe(2)
  await same()
})

test('rule 15: repair waits for a batch that has not committed, or its older row would come after it', async () => {
  await start()
  await it.sourceApp.query(`insert into items values (1, 'a')`)
  await drain(it.lane)
  await meddle(`update public.items set name = 'wrong'`)
  const points = armFailPoints('repair.after-read=once:hang, apply.before-commit=once:hang')
  const until = async (what: string, seen: () => Promise<boolean>) => {
    const end = performance.now() + 10_000
    while (!(await seen())) {
      if (performance.now() > end) throw new Error(`waited in vain for ${what}`)
      await pause(5)
    }
  }
  const repairing = repairRow(it.lane, table(), '["1"]')
  await until('repair to have read', async () => points.reached('repair.after-read') > 0)
  await it.sourceApp.query(`update items set name = 'newest'`)
  const wire = new Wire()
  await relayOnce(it.lane, wire)
  const batch = applyBatch(it.lane, wire.take())
  await until('the batch to have written', async () => points.reached('apply.before-commit') > 0)
  points.release('repair.after-read')
  const waiting = `select from pg_locks l join pg_stat_activity a using (pid)
    where not l.granted and a.datname = current_database()`
  await until('repair to wait', async () => (await it.targetAdmin.query(waiting)).rowCount === 1)
  points.release('apply.before-commit')
  await batch
  expect(await repairing).toBe(true)
  await same()
})

test('rule 15: repair brings no row back that has gone, with its tombstone, since the source was read', async () => {
  await start()
  await it.sourceApp.query(`insert into items values (1, 'a')`)
  await it.sourceAdmin.query('delete from banyan.changes')
  await copyAll(it.lane)
  await meddle(`update public.items set name = 'wrong'`)
  const points = armFailPoints('repair.after-read=once:hang')
  const repairing = repairRow(it.lane, table(), '["1"]')
  const until = performance.now() + 10_000
  while (points.reached('repair.after-read') === 0 && performance.now() < until) await pause(5)
  await it.sourceApp.query('delete from items')
  await drain(it.lane)
  await reconcile(it.lane, 1000n)
  expect(await purgeSoon(it.lane)).toBe(1)
  points.release('repair.after-read')
  expect(await repairing).toBe(true)
  await same()
})

test('rule 15: repair brings back what is missing, removes what is extra, and later changes still win', async () => {
  await start()
  await it.sourceApp.query(`insert into items values (1, 'a'), (2, 'b')`)
  await drain(it.lane)
  await meddle(`delete from public.items where id = 1; insert into public.items values (7, 'ghost')`)
  for (const key of ['["1"]', '["7"]']) expect(await repairRow(it.lane, table(), key)).toBe(true)
  await same()
  await it.sourceApp.query(`insert into items values (7, 'real'); update items set name = 'a2' where id = 1`)
  await drain(it.lane)
  await same()
})

test('verification finds a changed column, a missing row and an extra row among many, and nothing else', async () => {
  await start()
  await it.sourceApp.query(`insert into items select i, 'n' || i, 'note' from generate_series(1, 30000) i`)
  await it.sourceAdmin.query('delete from banyan.changes')
  await copyAll(it.lane)
  const lane = live(it.lane)
  expect(await verifyTable(it.lane, table(), { rangeRows: 7000 })).toMatchObject({ rows: 30000, differences: [] })
  await meddle(`update public.items set note = 'other' where id = 12345; delete from public.items where id = 77;
    insert into public.items values (99999, 'extra'), (-1, 'extra')`)
  const verified = await verifyTable(it.lane, table(), { rangeRows: 7000 })
  await lane.close()
  expect(verified.differences).toHaveLength(4)
  expect(verified.differences).toEqual(
    expect.arrayContaining([
      { tbl: 'public.items', key: '["12345"]', kind: 'different', columns: ['note'] },
      { tbl: 'public.items', key: '["77"]', kind: 'missing', columns: [] },
      { tbl: 'public.items', key: '["99999"]', kind: 'extra', columns: [] },
      { tbl: 'public.items', key: '["-1"]', kind: 'extra', columns: [] },
    ]),
  )
})

test('verification under writes reports nothing that is only on its way', async () => {
  await start()
  await it.sourceApp.query(`insert into items select i, 'n', 'note' from generate_series(1, 3000) i`)
  await it.sourceAdmin.query('delete from banyan.changes')
  await copyAll(it.lane)
  const lane = live(it.lane)
  let writing = true
  const writer = (async () => {
    for (let n = 0; writing; n++)
      await it.sourceApp.query(`update items set name = 'w' || $1 where id % 10 = $1`, [n % 10])
  })()
  for (let round = 0; round < 3; round++) {
    expect((await verifyTable(it.lane, table(), { rangeRows: 500 })).differences).toEqual([])
  }
  writing = false
  await writer
  await lane.close()
  await drain(it.lane)
  await same()
}, 120_000)

test('the canary goes round on both lanes, and never writes a business row to an open side', async () => {
  await start()
  const at = new Date('2026-01-01T00:00:00.123Z')
  const beat = await sendBeat(it.lane, at)
  const back = await sendBeat(it.back, new Date())
  await drain(it.lane)
  await drain(it.back)
  expect(await appliedBeat(it.lane)).toEqual(beat)
  expect((await appliedBeat(it.lane))?.at).toEqual(at)
  expect((await appliedBeat(it.back))?.beat).toBe(back.beat)
  await fenceSource(it.lane)
  await unfenceTarget(it.lane, { owner: 'service', term: 2n })
  expect((await sendBeat(it.back, new Date())).beat).toBe(back.beat + 1n)
  await drain(it.back)
  expect((await appliedBeat(it.back))?.beat).toBe(back.beat + 1n)
})

test('rule 14: a beat that the lane has not brought is neither applied by reconciliation nor purged, but for older ones', async () => {
  await start()
  await drain(it.lane)
  await reconcile(it.lane, 1000n)
  await sendBeat(it.lane, new Date())
  await sendBeat(it.lane, new Date())
  const wire = new Wire()
  await relayOnce(it.lane, wire)
  expect(await reconcile(it.lane, 1000n)).toMatchObject({ checked: 2, applied: 0, complete: true })
  expect(await appliedBeat(it.lane)).toBeNull()
  expect(await reconcile(it.lane, 1000n)).toMatchObject({ checked: 1, applied: 0, complete: true })
  await applyBatch(it.lane, wire.take())
  expect(await appliedBeat(it.lane)).toMatchObject({ beat: 2n })
  await reconcile(it.lane, 1000n)
  expect(await unproven(it.lane)).toBe(0)
})
