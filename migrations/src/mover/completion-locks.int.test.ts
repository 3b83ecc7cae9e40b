import { afterAll, beforeAll, expect, it } from 'vitest'
import { createWorld, until, type World } from './testing/world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld({ rows: 10 })
  world.start()
  for (const verb of ['prepare', 'backfill', 'verify', 'switch'] as const)
    await until(verb, 60_000, async () => (await world.ask(verb)).state === 'done')
})
afterAll(() => world.drop())

/** What a completion is refused for; nothing of it may have begun. */
async function refusal(args: Record<string, unknown>): Promise<string | null> {
  const { state, waitsFor } = await world.ask('complete', { confirm: 'goods', quietSeconds: 0, ...args })
  expect([state, await world.stored()]).toMatchObject(['refused', { phase: 'switched', step: null }])
  return waitsFor
}

it.each([
  ['that is not confirmed', { confirm: null }, 'a confirmation: --confirm goods'],
  ['that is confirmed for another context', { confirm: 'stock' }, 'a confirmation: --confirm goods'],
  ['too early after the switch', { quietSeconds: 3_600 }, 'a quiet time of 3600 s since the switch'],
])('a completion %s is refused', async (_, args, why) => expect(await refusal(args)).toContain(why))

it('a completion without a clean verification of today is refused', async () => {
  const { control } = world.db
  await control.query(`update banyan.verifications set at = at - interval '16 min'`)
  expect(await refusal({})).toBe('a clean verification of the last 15 minutes: banyan verify')
  await control.query(`update banyan.verifications set at = clock_timestamp(), different = 1`)
  expect(await refusal({})).toBe('a clean verification of the last 15 minutes: banyan verify')
  await control.query('update banyan.verifications set different = 0')
})

it('a completion is refused while somebody reads the old tables, and no longer', async () => {
  let reading = true
  const reader = (async () => {
    while (reading) await world.db.shop.query('select count(*) from stock; select pg_stat_force_next_flush()')
  })()
  const why = await refusal({}).finally(async () => {
    reading = false
    await reader
  })
  expect(why).toBe('shop.stock to be left alone: it is still being read')
  expect(await world.ask('complete', { confirm: 'goods', quietSeconds: 0 })).toMatchObject({ state: 'done' })
})
