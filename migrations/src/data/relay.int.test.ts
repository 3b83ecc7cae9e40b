import { afterEach, beforeEach, expect, test } from 'vitest'
import { applyBatch } from './apply.ts'
import { appliedBeat, sendBeat } from './canary.ts'
import { relayBacklog, relayOnce } from './changes-relay.ts'
import { fenceSource } from './fence.ts'
import { awaitMarker, MarkerLate, markerApplied, sendMarker } from './marker.ts'
import { createLane, drain, type LaneFixture, rowsOf, Wire } from './testing/lane-fixture.ts'

let it: LaneFixture
beforeEach(async () => {
  it = await createLane({ ddl: 'create table items (id int primary key, name text)', tables: ['items'] })
})
afterEach(() => it.drop())

const keys = (wire: Wire) => wire.sent.map((body) => JSON.parse(body).key || 'marker')

test('rule 7: a change that commits later with a lower id is not passed over', async () => {
  const wire = new Wire()
  const late = await it.sourceApp.connect()
  await late.query(`begin; insert into items values (1, 'late')`)
  await it.sourceApp.query(`insert into items values (2, 'early')`)
  await relayOnce(it.lane, wire)
  await late.query('commit')
  late.release()
  await relayOnce(it.lane, wire)
  expect(keys(wire)).toEqual(['["2"]', '["1"]'])
})

test('rule 7: only what the broker confirmed is marked; the rest goes again', async () => {
  const wire = new Wire()
  await it.sourceApp.query(`insert into items values (1, 'a'), (2, 'b')`)
  wire.refuse = (body) => body.includes('[\\"1\\"]')
  expect(await relayOnce(it.lane, wire)).toEqual({ confirmed: 1, refused: 1 })
  expect(await relayBacklog(it.lane)).toMatchObject({ unpublished: 1 })
  wire.refuse = () => false
  expect(await relayOnce(it.lane, wire)).toEqual({ confirmed: 1, refused: 0 })
  expect(keys(wire)).toEqual(['["2"]', '["1"]'])
  expect(await relayOnce(it.lane, wire)).toEqual({ confirmed: 0, refused: 0 })
})

test('rule 8: only the marker of this very attempt is taken for it', async () => {
  const marker = await sendMarker(it.lane)
  await drain(it.lane)
  expect(await markerApplied(it.lane, marker)).toBe(true)
  expect(await markerApplied(it.withToken(2n), marker)).toBe(false)
  await expect(awaitMarker(it.withToken(2n), marker, 50)).rejects.toThrow(MarkerLate)
  await expect(awaitMarker(it.lane, marker + 1n, 50)).rejects.toThrow(MarkerLate)
})

test('a beat never overtakes a change that the broker refused, and so never vouches for what is not there', async () => {
  const wire = new Wire()
  await it.sourceApp.query(`insert into items values (1, 'a')`)
  await sendBeat(it.lane, new Date())
  await it.sourceApp.query(`insert into items values (2, 'b')`)
  wire.refuse = (body) => body.includes('[\\"1\\"]')
  expect(await relayOnce(it.lane, wire)).toEqual({ confirmed: 1, refused: 2 })
  await applyBatch(it.lane, wire.take())
  expect(await appliedBeat(it.lane)).toBeNull()
  wire.refuse = () => false
  await drain(it.lane, wire)
  expect(await appliedBeat(it.lane)).toMatchObject({ beat: 1n })
})

test('rule 9: a marker never overtakes a change that the broker refused', async () => {
  const wire = new Wire()
  await it.sourceApp.query(`insert into items values (1, 'a'), (2, 'b')`)
  const { marker } = await fenceSource(it.lane)
  wire.refuse = (body) => body.includes('[\\"1\\"]')
  for (let round = 0; round < 3; round++) await relayOnce(it.lane, wire)
  await applyBatch(it.lane, wire.take())
  expect(await markerApplied(it.lane, marker)).toBe(false)
  wire.refuse = () => false
  for (let round = 0; round < 3; round++) await relayOnce(it.lane, wire)
  await applyBatch(it.lane, wire.take())
  expect(await markerApplied(it.lane, marker)).toBe(true)
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual(['(1,a)', '(2,b)'])
})

test('rule 9: the applier never goes past a change that failed, and says which row it is', async () => {
  await it.targetAdmin.query(`alter table items add constraint short check (length(name) < 3)`)
  await it.sourceApp.query(`insert into items values (1, 'a'); insert into items values (2, 'secret');
    insert into items values (3, 'c')`)
  const { marker } = await fenceSource(it.lane)
  const wire = new Wire()
  for (let round = 0; round < 3; round++) await relayOnce(it.lane, wire)
  const changes = wire.take()
  const result = await applyBatch(it.lane, changes)
  expect(result).toMatchObject({ done: 1, blocked: { tbl: 'public.items', key: '["2"]' } })
  expect(result.blocked?.reason).toMatch(/23514.*"short"/)
  expect(JSON.stringify(result)).not.toContain('secret')
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual(['(1,a)'])
  expect(await markerApplied(it.lane, marker)).toBe(false)
  await it.targetAdmin.query('alter table items drop constraint short')
  expect(await applyBatch(it.lane, changes.slice(result.done))).toMatchObject({ blocked: null })
  expect(await markerApplied(it.lane, marker)).toBe(true)
})

test('a change that is blocked by a value of it shows the SQLSTATE and not the value', async () => {
  await it.targetAdmin.query('alter table items add constraint number check (name::int > 0)')
  await it.sourceApp.query(`insert into items values (1, 'secret')`)
  const wire = new Wire()
  await relayOnce(it.lane, wire)
  const { blocked } = await applyBatch(it.lane, wire.take())
  expect(blocked).toMatchObject({ tbl: 'public.items', key: '["1"]', reason: 'SQLSTATE 22P02' })
})

test('rule 9: a long transaction elsewhere does not delay the marker after the fence', async () => {
  await it.sourceAdmin.query('create table other (id int)')
  const long = await it.sourceAdmin.connect()
  await long.query('begin; insert into other values (1)')
  await it.sourceApp.query(`insert into items values (1, 'a')`)
  const { marker } = await fenceSource(it.lane)
  await drain(it.lane)
  await awaitMarker(it.lane, marker, 1000)
  await long.query('rollback')
  long.release()
})

test('a change over 4 MiB travels as its id and arrives whole', async () => {
  const wire = new Wire()
  await it.sourceApp.query(`insert into items select 1, string_agg(md5(i::text), '') from generate_series(1, 200000) i`)
  await relayOnce(it.lane, wire)
  expect(wire.sent[0]!.length).toBeLessThan(1000)
  await applyBatch(it.lane, wire.take())
  const size = async (db: typeof it.sourceAdmin) => (await db.query('select length(name), md5(name) from items')).rows
  expect(await size(it.targetAdmin)).toEqual(await size(it.sourceAdmin))
})

test('a round takes a bounded number of bytes, whatever the size of the rows', async () => {
  const wire = new Wire()
  await it.sourceApp.query(`insert into items select n, repeat(md5(n::text), 60000) from generate_series(1, 20) n`)
  await relayOnce(it.lane, wire)
  expect(wire.sent.length).toBeLessThan(10)
  await applyBatch(it.lane, wire.take())
  await drain(it.lane)
  expect((await rowsOf(it.targetAdmin, 'items')).length).toBe(20)
})

test('deletes, which carry no row, weigh nothing: a round takes as many as it may', async () => {
  const wire = new Wire()
  await it.sourceApp.query(`insert into items select i, 'a' from generate_series(1, 100) i`)
  await relayOnce(it.lane, wire)
  await it.sourceApp.query('delete from items')
  expect(await relayOnce(it.lane, wire)).toEqual({ confirmed: 100, refused: 0 })
})
