import { type ArmedFailPoints, armFailPoints } from '@banyan/kit/service'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { parsePlan } from '../plan/read.ts'
import { createWorld, PLAN, until, type World } from './testing/world.ts'

const GOODS = `${PLAN}depends-on: [prices]\n`
const BASKETS =
  'context: baskets\ndatabases: { monolith: shop, service: goods }\ntables: [baskets]\ndepends-on: [goods]\n'

let world: World
let armed: ArmedFailPoints | undefined
beforeAll(async () => {
  world = await createWorld({ rows: 10, plan: GOODS })
  await world.db.control.query(
    `insert into banyan.contexts (context, phase, owner) values ('prices', 'switched', 'service'), ('baskets', 'idle', 'monolith')`,
  )
  world.start({ plans: new Map([...world.settings.plans, ['baskets', parsePlan('baskets.yaml', BASKETS)]]) })
  await world.makeReady()
})
afterEach(() => armed?.disarm())
afterAll(() => world.drop())

/** The interlocks have been looked at, and the attempt is about to begin, when a neighbour's row changes. */
async function withNeighbour(verb: 'switch' | 'rollback', neighbour: string, phase: string) {
  const was = await world.db.control.query('select phase from banyan.contexts where context = $1', [neighbour])
  const { token } = await world.stored()
  armed = armFailPoints('mover.switch.before-begin=once:hang')
  const asked = world.ask(verb)
  await until('the attempt to be about to begin', 20_000, async () => armed?.reached('mover.switch.before-begin') === 1)
  const become = (now: string) =>
    world.db.control.query('update banyan.contexts set phase = $2 where context = $1', [neighbour, now])
  await become(phase)
  armed.release('mover.switch.before-begin')
  const settled = await asked
  await become(was.rows[0].phase)
  // Nothing had begun: no attempt, no fence, no hold.
  expect((await world.stored()).token).toBe(token)
  return settled
}

it('rule 16: a switch does not begin when what it depends on has set out for the way back meanwhile', async () => {
  const waitsFor = 'prices to move first: the plan depends on it, and it is ready'
  expect(await withNeighbour('switch', 'prices', 'ready')).toMatchObject({ state: 'refused', waitsFor })
})

it('rule 16: a rollback does not begin when a context that depends on this one has moved meanwhile', async () => {
  expect(await world.ask('switch')).toMatchObject({ state: 'done' })
  const waitsFor = 'baskets moved later and depends on this context: roll baskets back first'
  expect(await withNeighbour('rollback', 'baskets', 'completed')).toMatchObject({ state: 'refused', waitsFor })
})
