import { createLogger } from '@banyan/kit/service'
import pg from 'pg'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createTestDatabase } from '../../../tests/support/infra.ts'
import { recordAudit } from '../control/audit.ts'
import { installControlDatabase } from '../control/install.ts'
import { until } from '../mover/testing/world.ts'
import { noteReadsFlags } from './note-reads-flags.ts'

const FLAG = 'goods-reads'
let database: Awaited<ReturnType<typeof createTestDatabase>>
let control: pg.Pool
let share: number | null
let looks: number
let isFresh: boolean
let asked: number
let now: number
let notes: ReturnType<typeof noteReadsFlags>
const flags = {
  share: () => {
    looks++
    return share
  },
  freshness: () => {
    asked++
    return { lastFetchMs: 0, ok: isFresh, error: null, source: 'unleash' as const }
  },
}
const watch = () => {
  notes = noteReadsFlags(flags, ['goods'], control, createLogger({ name: 'notes under test', level: 'silent' }), {
    now: () => now,
  })
}

beforeEach(async () => {
  database = await createTestDatabase()
  control = new pg.Pool({ connectionString: database.url })
  control.on('error', () => undefined)
  const client = await control.connect()
  await installControlDatabase(client, ['goods'], {})
  client.release()
  share = 0
  looks = asked = now = 0
  isFresh = true
  watch()
})
afterEach(async () => {
  await notes.close()
  await control.end()
  await database.drop()
})

/** The share is looked at again, and time enough has passed for whoever set it to have noted it. */
async function isSeen(more = 3): Promise<void> {
  for (const enough of [looks + more, looks + 2 * more]) {
    await until('the flag to be looked at', 10_000, async () => looks >= enough)
    now += 10_000
  }
}
const noteOf = (who: string, to: number, result = 'done') =>
  recordAudit(control, { who, what: 'shift', context: 'goods', new: { [FLAG]: to }, result })
const audit = async () =>
  (await control.query('select who, what, context, old, new, why, result from banyan.audit order by id')).rows
const byUnleash = (from: number, to: number) => ({
  ...{ who: 'unleash', what: 'shift', context: 'goods', old: { [FLAG]: from }, new: { [FLAG]: to } },
  ...{ why: 'the flag goods-reads was set in Unleash', result: 'done' },
})

it('a share that was set in Unleash stands in the audit, once, with what it was before', async () => {
  await isSeen()
  expect(await audit()).toEqual([])
  share = 60
  await isSeen()
  expect(await audit()).toEqual([byUnleash(0, 60)])
  share = 5
  await isSeen()
  expect(await audit()).toEqual([byUnleash(0, 60), byUnleash(60, 5)])
  // Archived, and made anew.
  share = null
  await isSeen()
  share = 5
  await isSeen()
  expect(await audit()).toHaveLength(2)
})

it('what somebody has noted that set it needs no second line, though the line come after the share', async () => {
  share = 25
  await until('it to be seen', 10_000, async () => looks >= 3)
  await noteOf('an operator', 25)
  await isSeen()
  expect(await audit()).toHaveLength(1)
  await noteOf('an operator (guard)', 0, 'called back')
  share = 0
  await isSeen()
  expect(await audit()).toHaveLength(2)
})

it('a share that somebody failed to set is no account of one that is there', async () => {
  await noteOf('ann', 10, 'failed')
  share = 10
  await isSeen()
  expect((await audit())[1]).toEqual(byUnleash(0, 10))
})

it('a share that Unleash has not told of just now is none that was set', async () => {
  isFresh = false
  share = 60
  for (const enough of [3, 6]) {
    await until('Unleash to be looked for', 10_000, async () => asked >= enough)
    now += 10_000
  }
  isFresh = true
  share = 0
  await isSeen()
  expect(await audit()).toEqual([])
})

it('what was set while no mover led is noted by the next one, and what was there before is not', async () => {
  share = 30
  await isSeen()
  await notes.close()
  watch()
  await isSeen()
  expect(await audit()).toEqual([byUnleash(0, 30)])
  await notes.close()
  share = 70
  watch()
  await isSeen()
  expect((await audit())[1]).toEqual(byUnleash(30, 70))
})
