import { afterAll, beforeAll, expect, it } from 'vitest'
import { askFor, intentState } from '../control/intents.ts'
import { recordParityRun } from '../control/parity-runs.ts'
import { createWorld, until, type World } from './testing/world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld({ rows: 10 })
  world.start()
  await world.makeReady()
  await world.db.control.query('delete from banyan.parity_runs')
})
afterAll(() => world.drop())

const found = (verdict: 'alike' | 'different', serviceBuild = 'goods+1') =>
  recordParityRun(world.db.control, 'goods', {
    ...{ verdict, serviceBuild, monolithBuild: 'monolith+1', who: 'tester' },
    ...{ seed: 1, requests: 200, compared: 100, reasons: [] },
  })
const refused = async (words: RegExp) =>
  expect(await world.ask('switch')).toMatchObject({ state: 'refused', waitsFor: expect.stringMatching(words) })

it('a switch waits for a passing parity run of the builds that run, whoever asks for it', async () => {
  await refused(/a passing parity run of monolith\+1 and goods\+1/)
  await found('alike', 'goods+0')
  await refused(/the last compared monolith\+1 and goods\+0/)
  const ask = { context: 'goods', verb: 'switch', source: 'flag', who: 'unleash' } as const
  const id = (await askFor(world.db.control, ask))!
  await until(
    'the flag to be refused',
    10_000,
    async () => (await intentState(world.db.control, id)).state === 'refused',
  )
  await found('alike')
  await world.db.control.query("update banyan.parity_runs set at = at - interval '25 hours'")
  await refused(/last 24 hours; the last is 25 hours old/)
  await found('alike')
  await found('different')
  await refused(/was different/)
  expect((await world.stored()).owner).toBe('monolith')
  await found('alike')
  expect(await world.ask('switch')).toMatchObject({ state: 'done' })
  expect(await world.ask('rollback')).toMatchObject({ state: 'done' })
})

it('another build of the service needs a run of its own; who goes without says why, and the audit keeps it', async () => {
  await world.db.control.query("update banyan.instances set build = 'goods+2' where service = 'goods-service'")
  await world.ask('verify')
  await refused(/what runs now, monolith\+1 and goods\+2/)
  expect(await world.ask('switch', { withoutParity: 'a colour has changed' })).toMatchObject({ state: 'done' })
  const { rows } = await world.db.control.query(
    "select who, what, why from banyan.audit where what = 'switch without parity'",
  )
  expect(rows).toEqual([{ who: 'test', what: 'switch without parity', why: 'a colour has changed' }])
})
