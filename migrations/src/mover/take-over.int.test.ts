import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { changeContext } from '../control/contexts.ts'
import type { Phase, Step } from '../control/stored.ts'
import { takeOver } from './act/take-over.ts'
import { createLanes } from './lanes.ts'
import type { Runtime } from './runtime.ts'
import { createWorld, type World } from './testing/world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld({ rows: 1 })
})
afterAll(() => world.drop())

/** A mover that has just become the leader: it has adopted nothing yet. */
function fresh(): Runtime {
  const plan = world.settings.plans.get('goods')!
  const lanes = createLanes(plan, { monolith: world.db.shop, service: world.db.goods })
  return { control: world.db.control, plan, lanes, logger: world.settings.logger } as Runtime
}

/** Stores the row as a mover left it that is gone now. */
async function leftAt(phase: Phase, step: Step | null) {
  await world.db.control.query(
    `update banyan.contexts set phase = $1, step = $2, direction = 'to-service', former_phase = 'ready', hold = false`,
    [phase, step],
  )
  return world.stored()
}

describe('rule 16: a mover that finds', () => {
  it.each<[Phase, Step | null, Step | null, boolean]>([
    ['switching', 'unlink', 'unlink', false],
    ['switching', 'hold', 'hold', true],
    ['switching', 'fence', 'hold', true],
    ['switching', 'marker', 'hold', true],
    ['switching', 'sequences', 'hold', true],
    ['switching', 'commit', 'hold', true],
    ['aborting', 'raise-target', 'raise-target', false],
    ['aborting', 'unfence-source', 'raise-target', false],
    ['aborting', 'release', 'raise-target', false],
    ['switched', 'unfence', 'unfence', false],
    ['switched', 'release', 'unfence', false],
    ['ready', null, null, false],
  ])('%s at %s goes on from %s, under the next token', async (phase, left, step, hold) => {
    const stored = await leftAt(phase, left)
    const run = fresh()
    await takeOver(run, stored)
    expect(await world.stored()).toMatchObject({ phase, step, hold, token: stored.token + 1n })
    expect(run.lanes.adopted()).toBe(stored.token + 1n)
    // Another one that looked at the same moment is too late, and has no token to act under.
    const late = fresh()
    await takeOver(late, stored)
    expect(late.lanes.adopted()).toBeNull()
    expect((await world.stored()).token).toBe(stored.token + 1n)
  })
})

it('rules 16, 20 and 22: a decision counts only on the token, the phase and the step that it was made on', async () => {
  const { token } = await leftAt('switching', 'commit')
  const { control } = world.db
  const made = { token, phase: 'switching', step: 'commit' } as const
  const owner = { owner: 'service' } as const
  expect(await changeContext(control, 'goods', { ...made, token: token - 1n }, owner)).toBe(false)
  expect(await changeContext(control, 'goods', { ...made, phase: 'aborting' }, owner)).toBe(false)
  expect(await changeContext(control, 'goods', { ...made, step: 'hold' }, owner)).toBe(false)
  expect((await world.stored()).owner).toBe('monolith')
  expect(await changeContext(control, 'goods', made, owner)).toBe(true)
  expect((await world.stored()).owner).toBe('service')
})
