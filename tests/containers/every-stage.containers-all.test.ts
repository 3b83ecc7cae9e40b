/** The whole way in containers: every stage from the one before, with a step back from each, to the end. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { STAGES } from '../../compose/provision/services.ts'
import { openShop, type Shop } from './compose.ts'

const HEALTHY_S = 90
const [LAST] = STAGES.slice(-1) as [string]
let shop: Shop
let sold = 0

beforeAll(async () => {
  shop = await openShop()
})
afterAll(() => shop.drop())

async function sells(stage: string, orders: number): Promise<void> {
  expect(await shop.smoke(stage, orders)).toMatchObject({ confirmed: orders, left: 0, failed: 0 })
  sold += orders
}

test.each(STAGES.slice(0, -1).map((stage, n) => ({ stage, before: STAGES[n - 1] })))(
  '$stage goes on with the same shop, after a step back too',
  async ({ stage, before }) => {
    expect(await shop.up(stage)).toBeLessThan(HEALTHY_S)
    await sells(stage, 20)
    if (!before) return
    await shop.up(before)
    await sells(before, 5)
    expect(await shop.up(stage)).toBeLessThan(HEALTHY_S)
    expect(await shop.count(stage, 'shop', 'orders')).toBe(sold)
  },
)

test('and at the end the services have every order, and the monolith is gone', async () => {
  const before = STAGES.at(-2) as string
  await shop.compose(before, 'run', '--rm', 'arrive')
  await sells(before, 5)
  expect(await shop.up(LAST)).toBeLessThan(HEALTHY_S)
  await sells(LAST, 100)
  expect(await shop.count(LAST, 'orders', 'orders')).toBe(sold)
  expect(await shop.compose(LAST, 'ps', '--all', '--services')).not.toMatch(/monolith|mover/)
})
