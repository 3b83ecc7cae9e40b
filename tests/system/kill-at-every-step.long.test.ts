import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { failPointsOf } from './support/fail-points.ts'
import {
  expectAtRest,
  expectEqualSides,
  expectNothingLeft,
  expectNothingLost,
  openSides,
} from './support/invariants.ts'
import { killAlong } from './support/kill.ts'
import { makeReady, move, nextTurn, recover, rowOf, turn } from './support/moves.ts'
import { letShoppersIn, type Shoppers } from './support/shoppers.ts'
import { type System, startSystem } from './support/system.ts'
import { tamperWithTarget } from './support/tamper.ts'
import { startWriters, type Writers } from './support/writers.ts'

const ENGINE = failPointsOf('migrations/src')
const of = (...prefixes: string[]) => ENGINE.filter((point) => prefixes.some((prefix) => point.startsWith(prefix)))
const PREPARE = of('mover.prepare.')
const COPY = [
  'mover.copy.before-begin',
  'mover.copy.after-begin',
  ...of('copy.'),
  'mover.copy.after-chunk',
  ...of('mover.copy.').slice(-2),
]
const VERIFY = of('mover.verify.')
const REPAIR = of('mover.repair.', 'repair.')
const UNPREPARE = of('mover.unprepare.')
/** In the order in which an attempt passes them: each mover dies one step after the one before it. */
const SWITCH = [...of('mover.switch.').filter((point) => point !== 'mover.switch.after-end'), 'mover.switch.after-end']
/** The way back has nothing to unlink, and holds at once. */
const ONLY_THERE = ['mover.switch.before-unlink', 'mover.switch.before-hold']
const ABORT = [
  ...of('mover.abort.').filter((point) => !point.endsWith('-end')),
  ...of('mover.abort.').filter((point) => point.endsWith('-end')),
]
const TAKE_OVER = of('mover.take-over.')
const LANES = of('apply.', 'changes-relay.')
const COMPLETE = of('mover.complete.')
/** An attempt that waits longer than this at the fence is called off. */
const CALLED_OFF = { env: { SWITCH_BUDGET_MS: '400' }, also: 'mover.switch.after-fence=pause:600' }

let system: System
let shoppers: Shoppers
let writers: Writers | undefined
beforeAll(async () => {
  system = await startSystem('kill-at-every-step')
  shoppers = await letShoppersIn(system, 10)
})
afterAll(() => system?.stop())

beforeEach(() => recover(system))
afterEach(() => writers?.stop())

function letWritersIn(): void {
  writers = startWriters(system)
}

/** A test that runs alone, or after one that failed, finds the context elsewhere than in `ready` at the monolith. */
async function readyAtHome(): Promise<void> {
  if ((await rowOf(system)).owner === 'service') await turn(system)
  await makeReady(system)
}

/** The invariants, with nobody writing any more. */
async function expectGoodEnd(): Promise<void> {
  await writers?.stop()
  await expectAtRest(system)
  await expectEqualSides(system)
  if (writers) await expectNothingLost(system, writers)
}

it('knows every fail point of the engine', () => {
  const known = [PREPARE, COPY, VERIFY, REPAIR, UNPREPARE, SWITCH, ABORT, TAKE_OVER, LANES, COMPLETE].flat()
  expect(ENGINE.filter((point) => !known.includes(point))).toEqual([])
  expect(SWITCH.length).toBeGreaterThan(12)
})

it('prepare and its way back end well, with nothing copied and with everything, wherever the mover dies', async () => {
  writers = startWriters(system, 'preparing')
  await killAlong(system, 'prepare', PREPARE)
  expect(await rowOf(system)).toMatchObject({ phase: 'prepared', step: null })
  await expectAtRest(system, 'monolith')
  await killAlong(system, 'unprepare', UNPREPARE)
  await expectAtRest(system, 'monolith')
  await expectNothingLeft(system)
  await makeReady(system)
  await killAlong(system, 'unprepare', UNPREPARE)
  await writers.stop()
  await expectAtRest(system, 'monolith')
  await expectNothingLeft(system)
  await expectNothingLost(system, writers)
})

it('copy and verification end well, wherever the mover dies', async () => {
  await move(system, 'prepare')
  letWritersIn()
  await killAlong(system, 'backfill', COPY)
  expect(await rowOf(system)).toMatchObject({ phase: 'following', step: null })
  await killAlong(system, 'verify', VERIFY)
  expect(await rowOf(system)).toMatchObject({ phase: 'ready', step: null })
  await expectGoodEnd()
})

it('a repair ends well, wherever the mover dies', async () => {
  await readyAtHome()
  letWritersIn()
  await tamperWithTarget(system)
  await expect(move(system, 'verify')).rejects.toThrow('1 different')
  await killAlong(system, 'repair', REPAIR)
  await move(system, 'verify')
  expect(await rowOf(system)).toMatchObject({ phase: 'ready', step: null })
  await expectGoodEnd()
})

it('a switch and a rollback end well, though the mover dies at every step of them in turn', async () => {
  await readyAtHome()
  letWritersIn()
  await killAlong(system, 'switch', SWITCH)
  expect(await rowOf(system)).toMatchObject({ phase: 'switched', owner: 'service' })
  const back = SWITCH.filter((point) => !ONLY_THERE.includes(point))
  await killAlong(system, 'rollback', back)
  expect(await rowOf(system)).toMatchObject({ phase: 'ready', owner: 'monolith' })
  await expectGoodEnd()
})

it('an attempt is called off well, and made again, though the mover dies at every step of that in turn', async () => {
  await readyAtHome()
  letWritersIn()
  for (const verb of ['switch', 'rollback']) await killAlong(system, verb, ABORT, CALLED_OFF)
  expect(await rowOf(system)).toMatchObject({ phase: 'ready', owner: 'monolith' })
  await expectGoodEnd()
})

it('a mover that dies while it takes over from one that died is taken over in turn', async () => {
  await makeReady(system)
  letWritersIn()
  for (const _ of ['there', 'back'])
    await killAlong(system, await nextTurn(system), ['mover.switch.after-fence', ...TAKE_OVER])
  await expectGoodEnd()
})

it.each(LANES)('changes reach the other side when the mover dies at %s', async (point) => {
  await makeReady(system)
  letWritersIn()
  for (const _ of ['there', 'back']) await killAlong(system, await nextTurn(system), [`${point}=after:10:kill`])
  await expectGoodEnd()
})

it('the completion ends well, wherever the mover dies', async () => {
  await makeReady(system)
  letWritersIn()
  if ((await rowOf(system)).owner === 'monolith') await turn(system)
  await move(system, 'verify')
  await expectGoodEnd()
  const last = startWriters(system, 'completing')
  writers = last
  await killAlong(system, 'complete', COMPLETE, { args: { confirm: 'inventory', quietSeconds: 0 } })
  expect(await rowOf(system)).toMatchObject({ phase: 'completed', owner: 'service' })
  await last.stop()
  expect(await openSides(system)).toEqual(['service'])
  await expectNothingLost(system, last)
})

it('the ledger is exact after all of it', async () => {
  await shoppers.leave()
})
