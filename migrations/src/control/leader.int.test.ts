import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createTestDatabase } from '../../../tests/support/infra.ts'
import { becomeLeader, type Leadership } from './leader.ts'

let database: Awaited<ReturnType<typeof createTestDatabase>>
let leadership: Leadership
beforeEach(async () => {
  database = await createTestDatabase()
  leadership = (await becomeLeader(database.url, new AbortController().signal))!
})
afterEach(async () => {
  await leadership.resign()
  await database.drop()
})

const shown = (name: string) =>
  leadership.within(1_000, async (client) => (await client.query(`show ${name}`)).rows[0][name] as string)

it('rule 23: the session of a leader that says nothing any more ends by itself', async () => {
  expect(await shown('idle_session_timeout')).toBe('5s')
  expect(await shown('idle_in_transaction_session_timeout')).toBe('2s')
})

it('rule 23: pings keep the lead, in turn with what the leader commits: a connection has one statement at a time', async () => {
  const warnings: Error[] = []
  const note = (warning: Error) => warnings.push(warning)
  process.on('warning', note)
  try {
    // A server less patient than the real one; three contexts that commit at once, and are at it when a ping is due.
    await leadership.within(1_000, (client) => client.query(`set idle_session_timeout = '2500ms'`))
    const commit = () => leadership.within(1_500, (client) => client.query('select pg_sleep(0.4)'))
    await Promise.all([commit(), commit(), commit()])
    await sleep(3_000)
    expect(leadership.lost.aborted).toBe(false)
    expect(warnings).toEqual([])
  } finally {
    process.off('warning', note)
  }
})

it('what runs on the leading connection ends within its time, and the next has its own', async () => {
  const late = leadership.within(100, (client) => client.query('select pg_sleep(1)'))
  const next = leadership.within(1_000, (client) => client.query('select pg_sleep(0.2)'))
  await expect(late).rejects.toMatchObject({ code: '57014' })
  expect((await next).rowCount).toBe(1)
  expect(leadership.lost.aborted).toBe(false)
})
