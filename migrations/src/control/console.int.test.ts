import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createTestDatabase } from '../../../tests/support/infra.ts'
import { installControlDatabase } from './install.ts'
import { askFor, settleIntent } from './intents.ts'
import { becomeLeader } from './leader.ts'
import { noteSeen } from './sightings.ts'
import { recordVerification, voidVerifications } from './verifications.ts'
import { noteWatch } from './watches.ts'

const role = `console_${randomBytes(4).toString('hex')}`
let database: Awaited<ReturnType<typeof createTestDatabase>>
let control: pg.Client
beforeEach(async () => {
  database = await createTestDatabase()
  control = new pg.Client({ connectionString: database.url })
  await control.connect()
  await control.query(`create role ${role}`)
  await installControlDatabase(control, ['goods', 'orders'], { proxies: [role] })
})
afterEach(async () => {
  await control.query(`drop owned by ${role}; drop role ${role}`)
  await control.end()
  await database.drop()
})

/** As a proxy's role sees it. */
async function shown(): Promise<{ mover: boolean; contexts: Record<string, unknown>[] }> {
  await control.query(`set role ${role}`)
  try {
    return (await control.query('select banyan.console_state() as state')).rows[0].state
  } finally {
    await control.query('reset role')
  }
}

it('what the console shows is what the mover has written down, without the rows that differ', async () => {
  expect((await shown()).contexts).toMatchObject([
    { context: 'goods', intent: null, last: null, copy: null, lagMs: null, verification: null, parity: null },
    { context: 'orders' },
  ])
  await control.query(
    `update banyan.contexts set phase = 'following', heartbeat_applied = clock_timestamp() - interval '2 s'`,
  )
  const id = await askFor(control, { context: 'goods', verb: 'verify', source: 'cli', who: 'bob', why: 'a look' })
  const copy = { done: 5, total: 10, perSecond: 1, etaSeconds: 5, aside: 0, finished: false, waitsFor: null }
  await noteSeen(control, 'goods', { copy, blocked: 'row 7' })
  const found = { move: 0n, intent: id, rows: 10, different: 1, differences: [{ key: ['a secret'] }], seconds: 1 }
  await recordVerification(control, 'goods', found)
  const [goods] = (await shown()).contexts
  expect(goods).toMatchObject({
    intent: { verb: 'verify', who: 'bob', source: 'cli', why: 'a look', state: 'pending', waitsFor: null },
    verification: { rows: 10, different: 1, voidedBy: null },
    ...{ copy, blocked: 'row 7' },
  })
  expect(goods?.lagMs).toBeGreaterThan(1_900)
  expect(JSON.stringify(goods)).not.toContain('a secret')
  await settleIntent(control, id!, 'refused', 'a clean verification')
  await voidVerifications(control, 'goods', 'a repair')
  expect((await shown()).contexts[0]).toMatchObject({
    intent: null,
    last: { verb: 'verify', state: 'refused', because: 'a clean verification' },
    verification: { voidedBy: 'a repair' },
  })
})

it('what the guard said last of the reads is shown, with the figures that it went by', async () => {
  expect((await shown()).contexts).toMatchObject([{ watch: null }, { watch: null }])
  const sides = { monolith: { reads: 900, failed: 1, p99Ms: 12 }, service: { reads: 40, failed: 0, p99Ms: null } }
  const first = { context: 'goods', who: 'bob', share: 5, decision: 'continue' as const, because: null, sides }
  await noteWatch(control, first)
  await control.query(`update banyan.watches set at = at - interval '1 h'`)
  const later = { ...first, who: 'ann', share: 25, decision: 'pause' as const, because: 'too few reads' }
  const { context, ...last } = { ...later, sides: { ...sides, monolith: { reads: 950, failed: 2, p99Ms: 13 } } }
  await noteWatch(control, { context, ...last })
  const [goods, orders] = (await shown()).contexts
  expect([goods, orders]).toMatchObject([{ context, watch: last }, { watch: null }])
  const { agoMs } = goods!.watch as { agoMs: number }
  expect(agoMs).toBeGreaterThanOrEqual(0)
  // By its last word, not by its first of an hour ago.
  expect(agoMs).toBeLessThan(600_000)
})

it('whether a mover runs is known by the lead itself', async () => {
  expect((await shown()).mover).toBe(false)
  const leadership = await becomeLeader(database.url, new AbortController().signal)
  expect((await shown()).mover).toBe(true)
  await leadership?.resign()
  expect((await shown()).mover).toBe(false)
})

it('whoever is no proxy does not see it', async () => {
  await control.query(`revoke execute on function banyan.console_state() from ${role}`)
  await expect(shown()).rejects.toThrow('permission denied')
})
