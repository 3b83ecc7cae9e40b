import { afterAll, beforeAll, expect, test } from 'vitest'
import { fenceSource, unfenceTarget } from './fence.ts'
import { awaitMarker } from './marker.ts'
import { copyAll, createLane, drain, type LaneFixture, rowsOf } from './testing/lane-fixture.ts'

let it: LaneFixture

beforeAll(async () => {
  it = await createLane({
    ddl: `create table items (id bigint generated always as identity primary key, name text not null, price int)`,
    tables: ['items'],
  })
})
afterAll(() => it.drop())

test('rows that were there and changes made since arrive, and the other side takes over', async () => {
  await it.sourceApp.query(`insert into items (name, price) select 'n' || i, i from generate_series(1, 5000) i`)
  const copying = copyAll(it.lane)
  for (let i = 0; i < 20; i++) {
    await it.sourceApp.query(`update items set price = price + 1 where id % 50 = $1`, [i])
    await it.sourceApp.query(`delete from items where id % 400 = $1`, [i])
    await it.sourceApp.query(`insert into items (name) values ('late')`)
  }
  await copying
  await drain(it.lane)
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual(await rowsOf(it.sourceAdmin, 'items'))

  const { marker } = await fenceSource(it.lane)
  await expect(it.sourceApp.query(`insert into items (name) values ('x')`)).rejects.toMatchObject({
    code: 'BN001',
    detail: 'context=shop owner=moving',
  })
  await drain(it.lane)
  await awaitMarker(it.lane, marker, 100)
  await it.lane.to.query('update banyan.fence set token = 1')
  await unfenceTarget(it.lane, { owner: 'service', term: 2n })
  await it.targetApp.query(`update items set price = -1 where id = 7`)
  await drain(it.back)
  expect(await rowsOf(it.targetAdmin, 'items')).toEqual(await rowsOf(it.sourceAdmin, 'items'))
})
