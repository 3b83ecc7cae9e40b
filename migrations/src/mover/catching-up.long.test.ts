import { armFailPoints } from '@banyan/kit/service'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { openIntent } from '../control/intents.ts'
import { createWorld, until, type World } from './testing/world.ts'

/** Slowed down like that, it takes the mover far longer than its patience with a lane that stands. */
const ROWS = 12_000
const SLOW_MS = 400
const PATIENCE_MS = 5_000

let world: World
beforeAll(async () => {
  world = await createWorld({ rows: 100 })
})
afterEach(() => armFailPoints('').disarm())
afterAll(() => world.drop())

it('a switch that is asked for while a mover catches up waits for it, longer than for a lane that stands', async () => {
  const first = world.start()
  await world.makeReady()
  await first.stop()
  await world.db.shop.query('insert into products (sku, price) select $1 || n, n from generate_series(1, $2::int) n', [
    'while the mover was away ',
    ROWS,
  ])
  const slow = armFailPoints(`apply.before-commit=pause:${SLOW_MS}`)
  const second = world.start({ budgetMs: 60_000 })
  await until('the second mover to lead', 20_000, async () => second.leading())
  const switched = world.ask('switch')
  const longer = await until('the switch to wait for longer than that', 30_000, async () => {
    const intent = await openIntent(world.db.control, 'goods')
    return intent && intent.ageMs > PATIENCE_MS + 1_500 && intent
  })
  expect(longer.waitsFor).toMatch(/^the lag to be at most 1 s: .*changes are being applied$/)
  slow.disarm()
  expect(await switched).toMatchObject({ state: 'done' })
})
