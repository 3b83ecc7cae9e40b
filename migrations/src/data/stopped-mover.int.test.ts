import { from as copyFrom } from 'pg-copy-streams'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Tx } from './lane.ts'
import { createLane, type LaneFixture } from './testing/lane-fixture.ts'
import { raiseToken } from './token.ts'

let it: LaneFixture
let stopped: Tx
/** A mover's connection, in the middle of a transaction that holds the fence row, of which nothing more is heard. */
beforeEach(async () => {
  it = await createLane({ ddl: 'create table items (id int primary key, name text)', tables: ['items'] })
  stopped = await it.lane.to.connect()
  stopped.on('error', () => undefined)
  await stopped.query("begin; select from banyan.fence where context = 'shop' for share")
})
afterEach(async () => {
  stopped.release(true)
  await it.drop()
})

test('rule 23: a mover stopped between two statements does not keep the next one from its token', async () => {
  await expect(raiseToken(it.lane.to, it.withToken(2n))).resolves.toEqual({ closed: true })
})

test('rule 23: a mover stopped in the middle of a COPY does not keep the next one from its token', async () => {
  const feed = stopped.query(copyFrom('copy public.items from stdin'))
  feed.on('error', () => undefined)
  feed.write('1\thalf a ro')
  await expect(raiseToken(it.lane.to, it.withToken(2n))).resolves.toEqual({ closed: true })
})
