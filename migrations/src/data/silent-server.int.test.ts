import { afterEach, beforeEach, expect, test } from 'vitest'
import { stallable } from '../../../kit/ownership/testing/stallable.ts'
import { checkCrossingKeys } from '../plan/check-crossing-keys.ts'
import { checkSequences } from '../plan/check-sequences.ts'
import { checkServers } from '../plan/check-servers.ts'
import { checkTables } from '../plan/check-tables.ts'
import { parsePlan } from '../plan/read.ts'
import { applyBatch } from './apply.ts'
import { checkCapture } from './capture-check.ts'
import { copyProgress } from './copy-progress.ts'
import { restoreCrossingKeys } from './crossing-keys.ts'
import { describeTable } from './describe.ts'
import { fingerprint } from './fingerprint.ts'
import type { Db } from './lane.ts'
import { sendMarker } from './marker.ts'
import { openDb } from './open-db.ts'
import { takeMoment } from './purge.ts'
import { sessionsAtWork } from './source-load.ts'
import { createLane, type LaneFixture } from './testing/lane-fixture.ts'
import { runningVacuums } from './vacuum.ts'

/** What a look may take, and a busy machine. */
const ENDS_MS = 30_000
/** More than there are looks: one that is opened later finds a server that answers. */
const CONNECTIONS = 20

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
    const items = { schema: 'public', name: 'items' }
    const plan = parsePlan('plan.yaml', 'context: shop\ndatabases: { monolith: old, service: new }\ntables: [items]\n')
    const sides = { monolith: silent, service: silent }
    const looks = [
      describeTable(silent, items),
      runningVacuums(silent, [items]),
      fingerprint(silent, [items]),
      checkCapture(lane),
      sendMarker(lane),
      sessionsAtWork(silent),
      takeMoment(lane),
      copyProgress({ context, move, to: silent }),
      restoreCrossingKeys(silent, lane),
      ...[checkServers, checkTables, checkCrossingKeys, checkSequences].map((check) => check(plan, sides)),
    ]
    expect((await Promise.allSettled(looks)).map(({ status }) => status)).toEqual(looks.map(() => 'rejected'))
  },
  ENDS_MS,
)
