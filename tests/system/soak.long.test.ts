import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connected } from '../../compose/provision/database.ts'
import { watchGrowth } from '../support/resident-memory.ts'
import { expectAtRest, expectEqualSides } from './support/invariants.ts'
import { turn } from './support/moves.ts'
import { letShoppersIn, type Shoppers } from './support/shoppers.ts'
import { pidsOf, type System, startSystem } from './support/system.ts'
import { until } from './support/wait.ts'

/** What each process loads on its first switches and its first thousand requests is no growth. */
const WARM_UP_MS = 2 * 60_000
/** Each of two halves: what is needed once is there after the first, and what leaks goes on in the second. */
const HALF_MS = Number(process.env.SOAK_MINUTES ?? 10) * 30_000
const REST_MS = 10_000
const RATE = 20
const MOST_MIB = 64
/** A leak of one per switch is more than this. */
const MOST_FILES = 20

let system: System
let shoppers: Shoppers
let filesBefore: Record<string, number>
beforeAll(async () => {
  system = await startSystem('soak')
  filesBefore = openFiles()
  shoppers = await letShoppersIn(system, RATE)
})
afterAll(() => system?.stop())

it('switches and rollbacks under load for a long time take no more and more memory', async () => {
  await turnsFor(WARM_UP_MS)
  const first = watchGrowth(pidsOf(system))
  const turns = await turnsFor(HALF_MS)
  const before = first.end()
  const second = watchGrowth(pidsOf(system))
  expect(turns + (await turnsFor(HALF_MS))).toBeGreaterThan(2)
  const grown = [...second.end()].map(([name, mib]) => ({ name, first: before.get(name), second: mib }))
  console.log(`soak: MiB by halves of ${HALF_MS / 60_000} min`, JSON.stringify(grown))
  expect(grown.filter(({ second: mib }) => mib > MOST_MIB)).toEqual([])
})

it('the ledger is exact after all of it', () => shoppers.leave())

it('what was captured, sent, marked and opened on the way is gone when all is quiet', async () => {
  await expectEqualSides(system)
  await expectAtRest(system)
  for (const database of ['shop', system.database])
    await until(
      `nothing left of the way in ${database}`,
      60_000,
      async () => (await leftIn(database)).every(({ rows }) => rows === 0),
      () => leftIn(database),
    )
  const opened = async () =>
    Object.entries(openFiles()).map(([name, now]) => ({ name, more: now - (filesBefore[name] ?? 0) }))
  const few = async () => (await opened()).every(({ more }) => more <= MOST_FILES)
  await until('no more open than before', 60_000, few, opened)
})

/** @returns how many times the owner has changed */
async function turnsFor(ms: number): Promise<number> {
  let turns = 0
  for (const end = Date.now() + ms; Date.now() < end; turns += 1) {
    await turn(system)
    await sleep(REST_MS)
  }
  return turns
}

/** Files and sockets of each process, as the system counts them. */
function openFiles(): Record<string, number> {
  return Object.fromEntries(
    Object.entries(pidsOf(system)).map(([name, pid]) => [name, readdirSync(`/proc/${pid}/fd`).length]),
  )
}

/** Changes that nobody has proven, but the heartbeat's, which never rests; and events that nobody was told. */
async function leftIn(database: string): Promise<{ table: string; rows: number }[]> {
  return await connected(system.superuser(database), async (db) => {
    const { rows } = await db.query<{ changes: number; events: number }>(
      `select (select count(*)::int from banyan.changes where op <> 'm' and tbl not like '%canary') as changes,
              (select count(*)::int from banyan.outbox where published_at is null) as events`,
    )
    return Object.entries(rows[0] ?? {}).map(([table, count]) => ({ table: `${database} ${table}`, rows: count }))
  })
}
