import { afterEach, expect, test } from 'vitest'
import { applyBatch } from './apply.ts'
import { relayOnce } from './changes-relay.ts'
import { copyNextChunk } from './copy.ts'
import { startCopy } from './copy-progress.ts'
import { emptyTarget } from './empty-target.ts'
import { closeTarget, fenceSource, restoreSource, unfenceTarget } from './fence.ts'
import type { Change, Lane } from './lane.ts'
import { sendMarker } from './marker.ts'
import { openDb } from './open-db.ts'
import { purgeTombstones, takeMoment } from './purge.ts'
import { reconcile } from './reconcile.ts'
import { repairRow } from './repair.ts'
import { alignSequences } from './sequences.ts'
import {
  copyAll,
  createLane,
  drain,
  type FixtureOptions,
  type LaneFixture,
  rowsOf,
  Wire,
} from './testing/lane-fixture.ts'
import { raiseToken, SideOpen, TokenOverruled } from './token.ts'

let it: LaneFixture
const start = async (options: FixtureOptions) => {
  it = await createLane(options)
}
afterEach(() => it.drop())
const ITEMS = 'create table items (id int primary key, name text unique)'

async function changes(lane = it.lane): Promise<Change[]> {
  const wire = new Wire()
  while ((await relayOnce(lane, wire)).confirmed > 0);
  return wire.take()
}
const same = async (table = 'items') =>
  expect(await rowsOf(it.targetAdmin, table)).toEqual(await rowsOf(it.sourceAdmin, table))

test('rule 10: duplicates, shuffles and late ones end at the newest version', async () => {
  await start({ ddl: ITEMS, tables: ['items'] })
  await it.sourceApp.query(`insert into items values (1, 'a'), (2, 'b'); update items set name = 'a2' where id = 1;
    delete from items where id = 2; update items set name = 'a3' where id = 1; insert into items values (2, 'b2');
    delete from items where id = 2`)
  const all = await changes()
  await applyBatch(it.lane, [...all].reverse())
  await same()
  for (const one of all) await applyBatch(it.lane, [one])
  await applyBatch(it.lane, [...all, ...all])
  await same()
  for (const late of all.slice(0, -1)) {
    await applyBatch(it.lane, [late])
    await same()
  }
  const { rows } = await it.targetAdmin.query('select key, deleted from banyan.row_version order by key')
  expect(rows).toEqual([
    { key: '["1"]', deleted: false },
    { key: '["2"]', deleted: true },
  ])
})

test("rule 10: a delete takes a chunk's row away, whichever came first", async () => {
  await start({ ddl: ITEMS, tables: ['items'] })
  await it.sourceApp.query(`insert into items values (1, 'a')`)
  const [insert] = await changes()
  await copyAll(it.lane)
  await it.sourceApp.query('delete from items where id = 1')
  const [remove] = await changes()
  await applyBatch(it.lane, [remove!])
  await applyBatch(it.lane, [insert!])
  await same()
})

test('rule 10: rows that hand a unique value to each other arrive, though together they collide', async () => {
  await start({ ddl: ITEMS, tables: ['items'] })
  await it.sourceApp.query(`insert into items values (1, 'a'), (2, 'b')`)
  await drain(it.lane)
  await it.sourceApp.query(`begin; update items set name = 'x' where id = 1; update items set name = 'a' where id = 2;
    update items set name = 'b' where id = 1; commit`)
  await drain(it.lane)
  await same()
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual(['(1,b)', '(2,a)'])
})

test('rule 10: renamed and computed columns arrive, and come back as they were', async () => {
  await start({
    ddl: 'create table items (id int primary key, cents int, note text, monolith_only int default 7)',
    targetDdl: 'create table items (item_id int primary key, amount numeric(10,2), note text, service_only text)',
    tables: ['items'],
    rules: {
      items: {
        id: { target: 'item_id' },
        cents: { target: 'amount', forward: '(cents / 100.0)::numeric(10,2)', back: '(amount * 100)::integer' },
        monolith_only: 'drop',
      },
    },
  })
  await it.sourceApp.query(`insert into items values (1, 1999, 'copied', 1), (2, 5, null, 2)`)
  await it.sourceAdmin.query('delete from banyan.changes')
  await copyAll(it.lane)
  await it.sourceApp.query(`update items set cents = 10 where id = 2; insert into items values (3, 1, 'new', 3)`)
  await drain(it.lane)
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual(['(1,19.99,copied,)', '(2,0.10,,)', '(3,0.01,new,)'])
  await fenceSource(it.lane)
  await unfenceTarget(it.lane, { owner: 'service', term: 2n })
  await it.targetApp.query(`update items set amount = 20.01, service_only = 's' where item_id = 1`)
  await it.targetApp.query(`insert into items values (4, 0.5, 'theirs')`)
  await drain(it.back)
  expect(await rowsOf(it.sourceAdmin, 'items')).toEqual([
    '(1,2001,copied,1)',
    '(2,10,,2)',
    '(3,1,new,3)',
    '(4,50,theirs,7)',
  ])
})

test('rule 11: a late delete of a parent does not cascade away a newer child, and triggers act once', async () => {
  const ddl = `create table parents (id int primary key);
    create table children (id int primary key, parent int references parents on delete cascade, touched int default 0);
    create function touch() returns trigger language plpgsql as $$ begin new.touched := new.touched + 1; return new; end $$;
    create trigger touch before insert or update on children for each row execute function touch()`
  await start({ ddl, tables: ['parents', 'children'] })
  await it.sourceApp.query(`insert into parents values (1); insert into children values (1, 1)`)
  await drain(it.lane)
  await it.sourceApp.query('delete from parents where id = 1')
  await it.sourceApp.query('insert into parents values (1); insert into children values (2, 1)')
  const all = await changes()
  const parentDelete = all.filter((one) => one.tbl === 'public.parents' && one.op === 'd')
  // A child before its parent, and the parent's delete last: only replica role survives both.
  await applyBatch(it.lane, [...all.filter((one) => !parentDelete.includes(one))].reverse())
  await applyBatch(it.lane, parentDelete)
  for (const table of ['parents', 'children']) await same(table)
  expect(await rowsOf(it.targetAdmin, 'children')).toEqual(['(2,1,1)'])
})

test('rule 11: fence and capture still fire in replica role, for everyone but the marked mover', async () => {
  await start({ ddl: ITEMS, tables: ['items'] })
  const db = it.lane.to
  await expect(
    db.query(`set session_replication_role = replica; insert into public.items values (1, 'a')`),
  ).rejects.toMatchObject({ code: 'BN001' })
})

test('rule 12: a zombie with an old token can write nothing, anywhere', async () => {
  await start({ ddl: ITEMS, tables: ['items'], token: 5n })
  await it.sourceApp.query(`insert into items values (1, 'a'), (2, 'b')`)
  const pending = await changes()
  await it.sourceApp.query(`insert into items values (3, 'c')`)
  await startCopy(it.lane)
  await raiseToken(it.lane.from, it.withToken(6n))
  await raiseToken(it.lane.to, it.withToken(6n))
  const zombie = it.lane
  const table = zombie.tables[0]!
  const owner = { owner: 'service', term: 9n } as const
  const acts: Record<string, (lane: Lane) => Promise<unknown>> = {
    chunk: (lane) => copyNextChunk(lane, table),
    'general chunk': (lane) => copyNextChunk(lane, table, { straight: false }),
    batch: (lane) => applyBatch(lane, pending),
    repair: (lane) => repairRow(lane, table, '["1"]'),
    relay: (lane) => relayOnce(lane, new Wire()),
    marker: (lane) => sendMarker(lane),
    reconcile: (lane) => reconcile(lane, 1000n),
    'purge of tombstones': async (lane) => purgeTombstones(lane, await takeMoment(lane)),
    sequences: (lane) => alignSequences(lane),
    fence: (lane) => fenceSource(lane),
    unfence: (lane) => unfenceTarget(lane, owner),
    'closing the target': (lane) => closeTarget(lane),
    restore: (lane) => restoreSource(lane, owner),
    emptying: (lane) => emptyTarget(lane),
  }
  for (const [name, act] of Object.entries(acts)) {
    await expect(act(zombie), name).rejects.toThrow(TokenOverruled)
  }
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual([])
  await applyBatch(it.withToken(6n), pending)
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual(['(1,a)', '(2,b)'])
})

test('rule 12: an attempt that begins while a zombie is inside its transaction waits for it to end', async () => {
  await start({ ddl: ITEMS, tables: ['items'] })
  const { underToken } = await import('./token.ts')
  const order: string[] = []
  let raising: Promise<unknown> = Promise.resolve()
  await underToken(it.lane.to, it.lane, 'share', async () => {
    raising = raiseToken(it.lane.to, it.withToken(2n)).then(() => order.push('raised'))
    await new Promise((resolve) => setTimeout(resolve, 100))
    order.push('written')
  })
  await raising
  expect(order).toEqual(['written', 'raised'])
})

test("rule 12: who waited for the fence row goes by what it has become, whatever the role's own isolation level", async () => {
  await start({ ddl: ITEMS, tables: ['items'] })
  await it.targetAdmin.query(`alter role ${it.moverRole} set default_transaction_isolation = 'repeatable read'`)
  const to = openDb(String(it.lane.to.options.connectionString), { name: 'banyan test mover' })
  const former = await it.targetAdmin.connect()
  try {
    await former.query(`begin; update banyan.fence set closed = false where context = 'shop'`)
    const raising = raiseToken(to, it.withToken(2n))
    raising.catch(() => undefined)
    for (let waits = 0; waits === 0; ) {
      const { rows } = await it.targetAdmin.query(
        `select count(*)::int as count from pg_locks l join pg_stat_activity a using (pid)
          where not l.granted and a.datname = current_database()`,
      )
      waits = rows[0].count
    }
    await former.query('commit')
    expect(await raising).toEqual({ closed: false })
  } finally {
    former.release(true)
    await to.end()
  }
})

test('rule 12: chunk, batch, repair and emptying refuse a receiving side that accepts writes; what is there already passes', async () => {
  await start({ ddl: ITEMS, tables: ['items'] })
  await it.sourceApp.query(`insert into items values (1, 'a'), (2, 'b')`)
  const [first, second] = await changes()
  await applyBatch(it.lane, [first!])
  await startCopy(it.lane)
  await unfenceTarget(it.lane, { owner: 'service', term: 2n })
  const table = it.lane.tables[0]!
  await expect(copyNextChunk(it.lane, table)).rejects.toThrow(SideOpen)
  await expect(copyNextChunk(it.lane, table, { straight: false })).rejects.toThrow(SideOpen)
  await expect(repairRow(it.lane, table, '["1"]')).rejects.toThrow(SideOpen)
  await expect(applyBatch(it.lane, [second!])).rejects.toThrow(SideOpen)
  await expect(emptyTarget(it.lane)).rejects.toThrow(SideOpen)
  expect(await applyBatch(it.lane, [first!])).toEqual({ done: 1, blocked: null })
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual(['(1,a)'])
})
