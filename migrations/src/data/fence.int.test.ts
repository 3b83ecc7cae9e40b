import { setTimeout as pause } from 'node:timers/promises'
import type { PoolClient } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { installCapture } from './capture.ts'
import { emptyTarget } from './empty-target.ts'
import { closeTarget, Drifted, fenceSource, readFence, restoreSource, tellOwner, unfenceTarget } from './fence.ts'
import { fingerprint } from './fingerprint.ts'
import { reversedLane } from './lane.ts'
import { LockBusy } from './lock-retry.ts'
import { createLane, drain, type LaneFixture, rowsOf } from './testing/lane-fixture.ts'
import { raiseToken, TokenOverruled } from './token.ts'
import { runningVacuums } from './vacuum.ts'

let it: LaneFixture
beforeEach(async () => {
  it = await createLane({ ddl: 'create table items (id int primary key, name text)', tables: ['items'] })
  await it.sourceApp.query(`insert into items values (1, 'a')`)
})
afterEach(() => it.drop())

const ITEMS = { schema: 'public', name: 'items' }
const REJECTED = { code: 'BN001' }

/** Resolves when `statement` waits for a lock; `waiting`: so many with it. */
async function queued(statement: Promise<unknown>, waiting = 1, db = it.sourceAdmin): Promise<void> {
  let over = false
  const end = () => {
    over = true
  }
  statement.then(end, end)
  const until = performance.now() + 5000
  for (;;) {
    const { rows } = await db.query(
      `select count(*)::int as count from pg_locks l join pg_stat_activity a using (pid)
        where not l.granted and a.datname = current_database()`,
    )
    if (rows[0].count >= waiting) return
    if (over || performance.now() > until) throw new Error('it does not wait for a lock')
    await pause(5)
  }
}

test('rule 6: the target is fenced from prepare on, for every role and in replica role', async () => {
  expect(await readFence(it.lane.to, 'shop')).toEqual({ closed: true, token: 1n })
  await expect(it.targetApp.query(`insert into items values (1, 'x')`)).rejects.toMatchObject({
    ...REJECTED,
    detail: 'context=shop owner=monolith',
  })
  await expect(
    it.targetAdmin.query(`set session_replication_role = replica; insert into items values (1, 'x')`),
  ).rejects.toMatchObject(REJECTED)
})

test('rule 6: what is written to the target before it is closed never travels to the owner', async () => {
  const next = { ...it.withToken(2n), move: 2n }
  await restoreSource(reversedLane(next), { owner: 'monolith', term: 1n })
  await installCapture(reversedLane(next))
  await it.targetApp.query(`insert into items values (7, 'too early')`)
  await closeTarget(next)
  await drain(reversedLane(next))
  expect(await rowsOf(it.sourceAdmin, 'items')).toEqual(['(1,a)'])
})

test('rule 18: writers that queue behind the fence are rejected at every isolation level, prepared or not', async () => {
  const blocker = await it.sourceApp.connect()
  await blocker.query(`begin; update items set name = 'b' where id = 1`)
  const levels = ['read committed', 'repeatable read', 'serializable']
  const writers = await Promise.all(
    levels.map(async (level) => {
      const writer = await it.sourceApp.connect()
      await writer.query(`prepare write as insert into items values (10, 'p')`)
      await writer.query(`begin isolation level ${level}; select * from items`)
      return writer
    }),
  )
  const fencing = fenceSource(it.lane)
  await queued(fencing)
  const writes = Promise.allSettled([
    ...writers.map((writer) => writer.query('execute write')),
    it.sourceApp.query(`insert into items values (11, 'auto')`),
  ])
  await blocker.query('commit')
  blocker.release()
  await fencing
  for (const write of await writes) expect(write).toMatchObject({ status: 'rejected', reason: REJECTED })
  for (const writer of writers) {
    await writer.query('rollback')
    await expect(writer.query('execute write')).rejects.toMatchObject(REJECTED)
    writer.release(true)
  }
  const { rows } = await it.sourceAdmin.query('select * from items')
  expect(rows).toEqual([{ id: 1, name: 'b' }])
})

test('rule 18: an earlier writer is waited for, and its last write stands before the marker', async () => {
  const writer = await it.sourceApp.connect()
  await writer.query(`begin; update items set name = 'b' where id = 1`)
  const fencing = fenceSource(it.lane)
  await queued(fencing)
  await writer.query(`insert into items values (2, 'late')`)
  await writer.query('commit')
  writer.release()
  const { marker } = await fencing
  const { rows } = await it.sourceAdmin.query(`select max(id)::text as last from banyan.changes where op <> 'm'`)
  expect(BigInt(rows[0].last)).toBeLessThan(marker)
})

test('rule 18: a transaction that has decided by the owner is waited for', async () => {
  const writer = await it.sourceApp.connect()
  await writer.query(`begin; select * from banyan.owner_of('shop')`)
  await expect(fenceSource(it.lane, { deadlineMs: 900 })).rejects.toThrow(LockBusy)
  await writer.query(`insert into items values (2, 'mine')`)
  await writer.query('commit')
  writer.release()
  await fenceSource(it.lane)
  const { rows } = await it.sourceAdmin.query(`select owner from banyan.owner where context = 'shop'`)
  expect(rows[0].owner).toBe('moving')
})

test('rule 18: a fence that cannot get its lock gives up after the deadline and leaves writers free', async () => {
  const writer = await it.sourceApp.connect()
  await writer.query(`begin; update items set name = 'b' where id = 1`)
  const begun = performance.now()
  await expect(fenceSource(it.withToken(2n), { deadlineMs: 1000 })).rejects.toThrow(/no lock after \d+ ms and \d tries/)
  expect(performance.now() - begun).toBeLessThan(2500)
  await writer.query('commit')
  writer.release()
  await it.sourceApp.query(`insert into items values (2, 'free')`)
  expect(await readFence(it.lane.from, 'shop')).toEqual({ closed: false, token: 1n })
})

test.each([
  ['apples', [['apples', false]]],
  [
    'zebras',
    [
      ['apples', true],
      ['zebras', false],
    ],
  ],
])('rule 18: the tables are locked in name order, whatever their order in the plan: behind %s', async (busy, locks) => {
  const two = await createLane({
    ddl: 'create table zebras (id int primary key); create table apples (id int primary key)',
    tables: ['zebras', 'apples'],
  })
  const writer = await two.sourceApp.connect()
  try {
    await writer.query(`begin; insert into ${busy} values (1)`)
    const fencing = fenceSource(two.lane, { deadlineMs: 10_000 })
    // In one statement, and again where the fence has just given up and not yet come back.
    const look = async () => {
      const { rows } = await two.sourceAdmin.query(
        `select c.relname, l.granted from pg_locks l join pg_class c on c.oid = l.relation
          where l.mode = 'ShareRowExclusiveLock' and c.relname in ('apples', 'zebras')
            and l.database = (select oid from pg_database where datname = current_database()) order by 1`,
      )
      return rows.some((row) => !row.granted) ? rows : null
    }
    const until = performance.now() + 5000
    let rows = await look()
    while (!rows && performance.now() < until) {
      await pause(5)
      rows = await look()
    }
    await writer.query('commit')
    await fencing
    expect(rows?.map((row) => [row.relname, row.granted])).toEqual(locks)
  } finally {
    writer.release(true)
    await two.drop()
  }
})

/** Two sessions of an application, which end whatever comes. */
async function withSessions(work: (one: PoolClient, two: PoolClient) => Promise<void>): Promise<void> {
  const [one, two] = [await it.sourceApp.connect(), await it.sourceApp.connect()]
  try {
    await work(one, two)
  } finally {
    one.release(true)
    two.release(true)
  }
}

test('rule 18: who asks for the owner behind the fence waits for it, so that no stream of them keeps it away', () =>
  withSessions(async (first, second) => {
    await first.query(`begin; select * from banyan.owner_of('shop')`)
    const fencing = fenceSource(it.lane)
    await queued(fencing)
    await second.query('begin')
    const asking = second.query(`select * from banyan.owner_of('shop')`)
    await queued(asking, 2)
    await first.query('commit')
    await fencing
    expect((await asking).rows).toEqual([{ owner: 'moving', term: '1' }])
  }))

test('rule 18: in a deadlock the mover is the victim, at once, and never the application', () =>
  withSessions(async (asker, writer) => {
    await asker.query(`begin; select * from banyan.owner_of('shop')`)
    await writer.query(`begin; update items set name = 'c' where id = 1`)
    const fencing = fenceSource(it.lane, { deadlineMs: 1 })
    await queued(fencing)
    const reading = writer.query(`select * from banyan.owner_of('shop')`)
    await queued(reading, 2)
    // Now the fence has the owner's table, which the writer waits for, and waits for the table that the writer has.
    await asker.query('commit')
    const lost = await fencing.catch((error) => error)
    expect(lost).toBeInstanceOf(LockBusy)
    expect(lost.cause).toMatchObject({ code: '40P01' })
    expect((await reading).rows).toEqual([{ owner: 'monolith', term: '1' }])
  }))

test('rule 18: drift of capture or structure stops the fence, and the source stays open', async () => {
  const verified = await fingerprint(it.lane.from, [ITEMS])
  await it.sourceAdmin.query('alter table items add column extra int')
  await expect(fenceSource(it.lane, { fingerprint: verified.hash })).rejects.toThrow(Drifted)
  await it.sourceAdmin.query('alter table items disable trigger "!banyan_capture"')
  await expect(fenceSource(it.lane)).rejects.toThrow(/not ENABLE ALWAYS/)
  await it.sourceApp.query(`insert into items values (2, 'open')`)
})

test('rule 18: a fence that would not reject every write is no fence: the source stays open', async () => {
  const mover = `current_setting('banyan.applying', true) is distinct from 'on' or session_user <> '${it.moverRole}'`
  await it.sourceAdmin.query(`create or replace trigger "!!banyan_fence" after insert on items for each row
    when (${mover}) execute function banyan.reject_write('shop'); alter table items disable trigger "!!banyan_fence"`)
  await expect(fenceSource(it.lane)).rejects.toThrow(Drifted)
  expect(await readFence(it.lane.from, 'shop')).toMatchObject({ closed: false })
  await it.sourceApp.query('delete from items')
})

test('rule 18: a vacuum that runs is seen', async () => {
  const vacuuming = await it.sourceAdmin.connect()
  expect(await runningVacuums(it.lane.from, [ITEMS])).toEqual([])
  await vacuuming.query('begin; lock table items in share update exclusive mode')
  expect(await runningVacuums(it.lane.from, [ITEMS])).toEqual(['public.items'])
  await vacuuming.query('rollback')
  vacuuming.release()
})

test('rule 18: replica role and a superuser do not get past the fence', async () => {
  await fenceSource(it.lane)
  await expect(it.sourceAdmin.query(`set session_replication_role = replica; delete from items`)).rejects.toMatchObject(
    REJECTED,
  )
  await expect(it.sourceApp.query(`update items set name = 'z'`)).rejects.toMatchObject(REJECTED)
})

test('rule 21: the target opens only under its own stored token, with the new owner in the same transaction', async () => {
  await fenceSource(it.withToken(2n))
  const owner = { owner: 'service', term: 2n } as const
  await expect(unfenceTarget(it.withToken(2n), owner)).rejects.toThrow(TokenOverruled)
  await raiseToken(it.lane.to, it.withToken(3n))
  await expect(unfenceTarget(it.withToken(2n), owner)).rejects.toThrow(TokenOverruled)
  expect(await readFence(it.lane.to, 'shop')).toEqual({ closed: true, token: 3n })
  await unfenceTarget(it.withToken(3n), owner)
  await it.targetApp.query(`insert into items values (5, 'mine')`)
  const { rows } = await it.targetAdmin.query(`select owner, term::text from banyan.owner where context = 'shop'`)
  expect(rows[0]).toEqual({ owner: 'service', term: '2' })
  await tellOwner(it.lane.from, it.withToken(3n), owner)
  await expect(it.sourceApp.query(`insert into items values (6, 'x')`)).rejects.toMatchObject({
    detail: 'context=shop owner=service',
  })
})

test('rule 22: an abort sees the target closed, and opens the source even where it looks open already', async () => {
  const aborting = it.withToken(3n)
  expect(await raiseToken(it.lane.to, aborting)).toEqual({ closed: true })
  // The overruled attempt's fence has not landed yet; after the abort it must not land any more.
  await restoreSource(aborting, { owner: 'monolith', term: 1n })
  await expect(fenceSource(it.withToken(2n))).rejects.toThrow(TokenOverruled)
  await it.sourceApp.query(`insert into items values (2, 'open')`)
  await fenceSource(it.withToken(4n))
  await restoreSource(it.withToken(5n), { owner: 'monolith', term: 1n })
  await it.sourceApp.query(`insert into items values (3, 'open')`)
  const { rows } = await it.sourceAdmin.query(`select owner from banyan.owner where context = 'shop'`)
  expect(rows[0].owner).toBe('monolith')
})

test('rule 22: an abort needs no lock that the fence was refused: a writer may stay open through both', async () => {
  const writer = await it.sourceApp.connect()
  await writer.query(`begin; select * from banyan.owner_of('shop'); update items set name = 'b' where id = 1`)
  try {
    await expect(fenceSource(it.withToken(2n), { deadlineMs: 1 })).rejects.toThrow(LockBusy)
    await restoreSource(it.withToken(3n), { owner: 'monolith', term: 1n }, { deadlineMs: 1 })
    expect(await readFence(it.lane.from, 'shop')).toEqual({ closed: false, token: 3n })
    await writer.query('commit')
  } finally {
    writer.release(true)
  }
  expect((await it.sourceAdmin.query('select * from items')).rows).toEqual([{ id: 1, name: 'b' }])
})

test('rule 22: an owner that differs on an open source is put right', async () => {
  await it.sourceAdmin.query(`update banyan.owner set owner = 'moving' where context = 'shop'`)
  await restoreSource(it.withToken(2n), { owner: 'monolith', term: 4n })
  const { rows } = await it.sourceAdmin.query(`select owner, term::text from banyan.owner where context = 'shop'`)
  expect(rows[0]).toEqual({ owner: 'monolith', term: '4' })
})

test('rule 22: an abort that finds the target open is told so', async () => {
  await unfenceTarget(it.lane, { owner: 'service', term: 2n })
  expect(await raiseToken(it.lane.to, it.withToken(2n))).toEqual({ closed: false })
})

test('rule 12: what changes structure or rows alone stores its token, so that an older attempt comes too late', async () => {
  await installCapture(it.withToken(5n))
  expect(await readFence(it.lane.from, 'shop')).toEqual({ closed: false, token: 5n })
  await expect(installCapture(it.withToken(4n))).rejects.toThrow(TokenOverruled)
  await emptyTarget(it.withToken(6n))
  expect(await readFence(it.lane.to, 'shop')).toEqual({ closed: true, token: 6n })
  await expect(emptyTarget(it.withToken(5n))).rejects.toThrow(TokenOverruled)
})

test('a transaction that asked for another context does not keep the former owner from being told', async () => {
  await it.sourceAdmin.query(`insert into banyan.owner (context, owner) values ('other', 'monolith')`)
  await fenceSource(it.withToken(2n))
  const long = await it.sourceApp.connect()
  await long.query(`begin; select * from banyan.owner_of('other')`)
  await tellOwner(it.lane.from, it.withToken(2n), { owner: 'service', term: 2n }).finally(() => long.release(true))
  const { rows } = await it.sourceAdmin.query(`select owner, term::text from banyan.owner where context = 'shop'`)
  expect(rows[0]).toEqual({ owner: 'service', term: '2' })
})

test('closing a side twice is the same as once', async () => {
  await closeTarget(it.lane)
  await closeTarget(it.lane)
  expect(await readFence(it.lane.to, 'shop')).toEqual({ closed: true, token: 1n })
})
