/**
 * The whole way in containers while people shop: every stage from the one before, what it brings moved by the command
 * line, one step back from each, to the end. Nobody sees a failure, and nothing that anybody was told is lost.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { becomesTrue } from '../../compose/embedded/wait.ts'
import { isExact } from '../../compose/ledger/compare.ts'
import { SERVICES, STAGES } from '../../compose/provision/services.ts'
import { openShop, type Shop } from './compose.ts'
import { openShoppers, type Shoppers } from './shoppers.ts'

const HEALTHY_S = 90
const [FIRST, DOOR] = STAGES
const [BEFORE, LAST] = STAGES.slice(-2) as [string, string]
let shop: Shop
let shoppers: Shoppers | undefined

beforeAll(async () => {
  shop = await openShop()
})
afterAll(async () => {
  await shoppers?.close()
  await shop.drop()
})

async function isUp(stage: string): Promise<void> {
  expect(await shop.up(stage)).toBeLessThan(HEALTHY_S)
}

/** Where another container takes the door, or is given it anew, nobody answers for a moment. */
async function withTheDoorShut(stage: string): Promise<void> {
  await shoppers?.letOut()
  const shut = await longestSilence(() => isUp(stage))
  console.log(`${stage}: nobody answered for ${shut.toFixed(1)} s`)
  await shoppers?.letIn()
  await shoppers?.goOn()
}

/** @returns seconds, the longest in which the shop answered nobody while the work was done */
async function longestSilence(work: () => Promise<void>): Promise<number> {
  let [last, longest, isDone] = [performance.now(), 0, false]
  const asking = (async () => {
    for (let isLast = false; !isLast; await sleep(50)) {
      isLast = isDone
      const signal = AbortSignal.timeout(1_000)
      const isAnswered = await fetch(`${shop.url}/api/categories`, { signal }).then(
        ({ ok }) => ok,
        () => false,
      )
      if (!isAnswered) continue
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }
  })()
  await work().finally(() => {
    isDone = true
  })
  await asking
  return longest / 1000
}

const contextsOf = (number: number) => SERVICES.filter(({ since }) => since === number).map(({ context }) => context)

/** The commands one after the other, for the contexts of a stage at once. */
async function banyan(number: number, ...commands: string[][]): Promise<void> {
  const stage = STAGES[number] as string
  await Promise.all(
    contextsOf(number).map(async (context) => {
      for (const [verb = '', ...more] of commands)
        await shop.compose(stage, 'run', '--rm', 'tools', verb, context, ...more)
    }),
  )
}
// No parity run has seen these images.
const THERE = [['prepare'], ['backfill'], ['verify'], ['switch', '--without-parity', 'a test of the containers']]
const BACK = [['rollback'], ['unprepare']]

test('the first stage comes up from nothing, and people shop', async () => {
  await isUp(FIRST)
  shoppers = await openShoppers(shop, FIRST)
  await shoppers.letIn()
  await shoppers.goOn()
})

test('the proxy takes the door, gives it back and takes it again', async () => {
  for (const stage of [DOOR, FIRST, DOOR]) {
    // What takes longest is there before the monolith lets go of the door.
    if (stage === DOOR) await shop.compose(DOOR, 'up', '--wait', 'unleash')
    await withTheDoorShut(stage)
  }
  expect(shoppers?.failures()).toEqual([])
})

test.each(STAGES.slice(2, -1).map((stage, n) => ({ stage, before: STAGES[n + 1] as string, number: n + 2 })))(
  '$stage moves what it brings, steps back to $before, and moves it again',
  async ({ stage, before, number }) => {
    await isUp(stage)
    await banyan(number, ...THERE)
    await shoppers?.goOn()
    await banyan(number, ...BACK)
    await isUp(before)
    await shoppers?.goOn()
    await isUp(stage)
    await banyan(number, ...THERE)
    await shoppers?.goOn()
    expect(shoppers?.failures()).toEqual([])
  },
)

test('at the end the mover and the monolith go, and nothing was lost on the way', async () => {
  await shop.compose(BEFORE, 'run', '--rm', 'arrive')
  const unpublished = () => shop.count(BEFORE, 'shop', 'banyan.outbox where published_at is null')
  await becomesTrue("the monolith's last events to be at the broker", async () => (await unpublished()) === 0, 30_000)
  await shop.compose(BEFORE, 'stop', 'mover', 'monolith')
  await shoppers?.goOn()
  await withTheDoorShut(LAST)
  expect(await shop.compose(LAST, 'ps', '--all', '--services')).not.toMatch(/monolith|mover/)
  expect(await shop.smoke(LAST, 100)).toMatchObject({ confirmed: 100, left: 0, failed: 0 })
  await shoppers?.letOut()
  expect(shoppers?.failures()).toEqual([])
  const { ledger, findings } = (await shoppers?.ledger(LAST)) ?? {}
  console.log(`ledger: ${JSON.stringify(ledger)}`)
  expect(findings).toEqual([])
  expect(ledger && ledger.ordersAcknowledged > 0 && isExact(ledger)).toBe(true)
})
