import { afterAll, beforeAll, expect, it } from 'vitest'
import { expectAtRest, expectEqualSides } from './support/invariants.ts'
import { makeReady, move, nextTurn } from './support/moves.ts'
import { letShoppersIn } from './support/shoppers.ts'
import { type System, startSystem } from './support/system.ts'

const TURNS = 3
const RATE = 15
/** The mailer's connections. */
const SENDS_AT_ONCE = 4
/** After a kill a letter is taken again no sooner than this. */
const LEASE = { MAIL_LEASE_MS: '3000' }

let letters: System
let parcels: System
beforeAll(async () => {
  letters = await startSystem('letters', { 'notification-service': LEASE, monolith: LEASE }, 'notifications')
  parcels = letters.seenAs('shipping')
  // Two contexts on the move at the same time: each has a loop, a lane and a lock of its own.
  await Promise.all([makeReady(letters), makeReady(parcels)])
})
afterAll(() => letters?.stop())

it('loses no letter and sends none twice while letters and parcels change sides at once', async () => {
  const shoppers = await letShoppersIn(letters, RATE)
  for (let turn = 0; turn < TURNS; turn += 1) await Promise.all([turned(letters), turned(parcels)])
  expect((await shoppers.count()).findings).toEqual([])
  for (const system of [letters, parcels]) {
    await expectAtRest(system, 'service')
    await expectEqualSides(system)
  }
})

it('repeats only letters inside whose sending the service was killed, each once and under its Message-ID', async () => {
  const before = await mailbox()
  const doomed = await letters.stack.restart('notification-service', {
    ...LEASE,
    FAIL_POINTS: 'mailer.after-send=after:3:kill',
  })
  const shoppers = await letShoppersIn(letters, RATE)
  await doomed.ended
  await letters.stack.restart('notification-service', LEASE)
  const { ledger, findings } = await shoppers.count()
  // Not the stock: what it was at the start is unknown here, since the shoppers before have bought as well.
  expect(ledger, findings.join('\n')).toMatchObject({
    ordersMissing: 0,
    ordersDuplicated: 0,
    moneyDriftCents: 0,
    emailsMissing: 0,
  })
  const since = (await mailbox()).slice(before.length)
  const ids = Map.groupBy(since, ({ eventId }) => eventId)
  const repeated = [...ids.values()].filter((mails) => mails.length > 1)
  expect(repeated.length).toBeGreaterThan(0)
  expect(repeated.length).toBeLessThanOrEqual(SENDS_AT_ONCE)
  for (const mails of repeated) {
    expect(mails).toHaveLength(2)
    expect(mails[1]?.messageId).toBe(mails[0]?.messageId)
  }
})

/** A switch or a rollback, whichever is next; asked for again while what it waits for passes. */
async function turned(system: System): Promise<void> {
  const verb = await nextTurn(system)
  for (let asking = 1; ; asking += 1) {
    if (verb === 'switch') await move(system, 'verify')
    try {
      return await move(system, verb)
    } catch (error) {
      if (asking === 5 || !/refused/.test((error as Error).message)) throw error
    }
  }
}

async function mailbox(): Promise<{ eventId: string; messageId: string }[]> {
  const response = await fetch(`${letters.places.mailUrl}/messages`)
  return ((await response.json()) as { messages: { eventId: string; messageId: string }[] }).messages
}
