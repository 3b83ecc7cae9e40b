import { armFailPoints } from '@banyan/kit/service'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { readAudit } from '../control/audit.ts'
import { lastIntent } from '../control/intents.ts'
import { createWorld, until, type World } from './testing/world.ts'

const GIVE_UP = { giveUpMs: 1_000 }

let world: World
beforeAll(async () => {
  world = await createWorld({ rows: 5 })
})
afterEach(() => armFailPoints('').disarm())
afterAll(() => world.drop())

it('a verb that cannot even be looked at ends, and says what happened and what to do', async () => {
  const nowhere = 'postgres://nobody@127.0.0.1:1/goods'
  const lost = world.start({ ...GIVE_UP, databaseUrl: (name) => (name === 'goods' ? nowhere : world.urls.shop) })
  const settled = await world.ask('prepare')
  expect(settled.state).toBe('failed')
  expect(settled.result?.because).toMatch(/ECONNREFUSED.*; mend that and ask again/)
  await lost.stop()
})

it('a prepare that keeps failing ends; what it had begun is taken away, and it may be asked for again', async () => {
  world.start(GIVE_UP)
  const armed = armFailPoints('mover.prepare.after-target=throw')
  const settled = await world.ask('prepare')
  expect(settled).toMatchObject({ state: 'failed', result: { because: expect.stringContaining('ask again') } })
  expect(await lastIntent(world.db.control, 'goods')).toMatchObject({ verb: 'prepare', state: 'failed' })
  expect(await readAudit(world.db.control, 'goods', 5)).toContainEqual(
    expect.objectContaining({ what: 'prepare (asked by cli)', result: 'failed' }),
  )
  await until('it to be taken back', 10_000, async () => (await world.stored()).step === null)
  armed.disarm()
  expect(await world.ask('prepare')).toMatchObject({ state: 'done' })
})

it('a verification that keeps failing ends as well', async () => {
  expect(await world.ask('backfill')).toMatchObject({ state: 'done' })
  armFailPoints('mover.verify.before=throw')
  expect(await world.ask('verify')).toMatchObject({ state: 'failed' })
  armFailPoints('').disarm()
  expect(await world.ask('verify')).toMatchObject({ state: 'done' })
})

it('a completion that keeps failing is given up, and ended all the same, to the last of what it was asked for', async () => {
  expect(await world.ask('switch')).toMatchObject({ state: 'done' })
  const armed = armFailPoints('mover.complete.after-release=throw')
  const asked = { confirm: 'goods', quietSeconds: 0, drop: true }
  expect(await world.ask('complete', asked)).toMatchObject({ state: 'failed' })
  expect(await world.stored()).toMatchObject({ phase: 'switched', step: 'completing' })
  armed.disarm()
  await until('the completion to end', 20_000, async () => (await world.stored()).phase === 'completed')
  const { rows } = await world.db.shop.query("select to_regclass('retired.products') as kept")
  expect(rows).toEqual([{ kept: null }])
})
