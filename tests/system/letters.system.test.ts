import { afterAll, beforeAll, expect, it } from 'vitest'
import { readHoldings } from '../../compose/ledger/held.ts'
import { expectAtRest, expectEqualSides } from './support/invariants.ts'
import { makeReady, move, nextTurn } from './support/moves.ts'
import { letShoppersIn } from './support/shoppers.ts'
import { type System, startSystem } from './support/system.ts'
import { until } from './support/wait.ts'

const TURNS = 3
const LETTERS_BETWEEN_TURNS = 8
const RATE = 15
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
  for (let turn = 0; turn < TURNS; turn += 1) {
    await lettersSent(LETTERS_BETWEEN_TURNS)
    await Promise.all([turned(letters), turned(parcels)])
  }
  await lettersSent(LETTERS_BETWEEN_TURNS)
  await shoppers.leave()
  for (const system of [letters, parcels]) {
    await expectAtRest(system, 'service')
    await expectEqualSides(system)
  }
})

it('repeats the one letter inside whose sending the service was killed, once and under its Message-ID', async () => {
  const before = await mailbox()
  const doomed = await letters.stack.restart('notification-service', {
    ...LEASE,
    FAIL_POINTS: 'mailer.after-send=after:3:kill',
  })
  const shoppers = await letShoppersIn(letters, RATE)
  await doomed.ended
  await letters.stack.restart('notification-service', LEASE)
  await shoppers.crowd.stop()
  await until('every letter to be sent', 60_000, async () => {
    const { mailEvents, mails, orders } = await readHoldings(letters.places)
    const ended = orders.every(({ status }) => status === 'shipped' || status === 'cancelled')
    return ended && mailEvents.every(({ eventId }) => mails.has(eventId))
  })
  await until('every letter to be noted as sent', 10_000, async () => (await lettersWaiting()) === 0)
  const { ledger, findings } = await shoppers.count()
  // Not the stock: what it was at the start is unknown here, since the shoppers before have bought as well.
  expect(ledger, findings.join('\n')).toMatchObject({
    ordersMissing: 0,
    ordersDuplicated: 0,
    moneyDriftCents: 0,
    emailsMissing: 0,
    emailsDuplicated: 1,
  })
  const since = (await mailbox()).slice(before.length)
  const ids = Map.groupBy(since, ({ eventId }) => eventId)
  const repeated = [...ids.values()].filter((mails) => mails.length > 1)
  expect(repeated.map((mails) => mails.length)).toEqual([2])
  expect(new Set(repeated.flat().map(({ messageId }) => messageId)).size).toBe(1)
})

/** Waits until so many more letters have been taken by the mail server: traffic that a turn has to leave whole. */
async function lettersSent(more: number): Promise<void> {
  const before = (await mailbox()).length
  await until(`${more} more letters`, 60_000, async () => (await mailbox()).length >= before + more)
}

async function lettersWaiting(): Promise<number> {
  const { rows } = await letters.sides.service.query(
    "select count(*)::int as waiting from notifications where status = 'pending'",
  )
  return rows[0].waiting
}

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
