import { afterEach, beforeEach, expect, test } from 'vitest'
import { stallable } from '../../../kit/ownership/testing/stallable.ts'
import { applyBatch } from './apply.ts'
import { copyProgress } from './copy-progress.ts'
import { restoreCrossingKeys } from './crossing-keys.ts'
import { describeTable } from './describe.ts'
import type { Db } from './lane.ts'
import { openDb } from './open-db.ts'
import { takeMoment } from './purge.ts'
import { sessionsAtWork } from './source-load.ts'
import { createLane, type LaneFixture } from './testing/lane-fixture.ts'
import { runningVacuums } from './vacuum.ts'

/** What a look may take, and a busy machine. */
const ENDS_MS = 30_000
const CONNECTIONS = 8

let it: LaneFixture
let cable: Awaited<ReturnType<typeof stallable>>
/** The source, by connections that have all gone silent. */
let silent: Db
beforeEach(async () => {
  it = await createLane({ ddl: 'create table items (id int primary key, name text)', tables: ['items'] })
  cable = await stallable(String(it.lane.from.options.connectionString))
  silent = openDb(cable.url, { name: 'banyan test mover', max: CONNECTIONS })
  const opened = await Promise.all(Array.from({ length: CONNECTIONS }, () => silent.connect()))
  for (const connection of opened) connection.release()
  cable.freeze()
})
afterEach(async () => {
  await cable.close()
  await silent.end()
  await it.drop()
})

test(
  'the row of a large change, which a switch may wait for, is not waited for longer than the attempt lasts',
  async () => {
    const { lane } = it
    await it.sourceApp.query("insert into items values (1, 'one')")
    const { rows } = await it.sourceAdmin.query('select id::text, tbl, key from banyan.changes')
    const change = { ...rows[0], context: lane.context, move: String(lane.move), op: 'u', row: null, large: true }
    const bounded = { ...lane, from: silent, untilMs: performance.now() + 500 }
    await expect(applyBatch(bounded, [change])).rejects.toMatchObject({ code: 'unanswered' })
  },
  ENDS_MS,
)

test(
  'no look at a server waits for an answer that does not come: nothing else could be asked of the mover meanwhile',
  async () => {
    const { context, move } = it.lane
    const lane = { ...it.lane, from: silent, to: silent }
    const looks = [
      describeTable(silent, { schema: 'public', name: 'items' }),
      runningVacuums(silent, [{ schema: 'public', name: 'items' }]),
      sessionsAtWork(silent),
      takeMoment(lane),
      copyProgress({ context, move, to: silent }),
      restoreCrossingKeys(silent, lane),
    ]
    expect((await Promise.allSettled(looks)).map(({ status }) => status)).toEqual(looks.map(() => 'rejected'))
  },
  ENDS_MS,
)
