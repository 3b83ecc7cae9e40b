import { afterAll, beforeAll, expect, it } from 'vitest'
import { expectAtRest, expectEqualSides, expectNothingLost } from './support/invariants.ts'
import { killAt } from './support/kill.ts'
import { makeReady, move, nextTurn } from './support/moves.ts'
import { letShoppersIn } from './support/shoppers.ts'
import { type System, startSystem } from './support/system.ts'
import { startWriters } from './support/writers.ts'

// Every point of both directions is the long test's; here the direction changes from point to point, so that the
// last moment before each of the stored decisions, and the first one after it, is tried.
const POINTS = [
  'mover.switch.before-hold',
  'mover.switch.after-fence',
  'mover.switch.before-owner-commit',
  'mover.switch.after-owner-commit',
] as const

let system: System
beforeAll(async () => {
  system = await startSystem('kill-mid-switch')
  await makeReady(system)
})
afterAll(() => system?.stop())

it('a mover killed in the middle of a switch leaves no write behind, and the next one ends what it began', async () => {
  const writers = startWriters(system)
  const shoppers = await letShoppersIn(system, 10)
  for (const point of POINTS) {
    const began = performance.now()
    const turn = await nextTurn(system)
    const ended = await killAt(system, point, turn)
    expect(ended, `${point}: ${ended.because}`).toMatchObject({ killed: true, state: 'done' })
    console.log(point, Math.round(performance.now() - began))
  }
  // A fence that takes longer than the budget is called off; the mover dies in the middle of that as well.
  const turn = await nextTurn(system)
  await killAt(system, 'mover.abort.after-raise-target', turn, {
    env: { SWITCH_BUDGET_MS: '300' },
    also: 'mover.switch.after-fence=pause:400',
  })
  await writers.stop()
  await shoppers.leave()
  await expectAtRest(system)
  await expectEqualSides(system)
  await move(system, 'verify')
  await expectNothingLost(system, writers)
})
