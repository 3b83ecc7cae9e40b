import { expect } from 'vitest'
import { askFor, intentState } from '../../control/intents.ts'
import { spawnMover } from './mover-process.ts'
import { until, type World } from './world.ts'
import { expectOneOpenAtMost } from './writers.ts'

/** Every place of a switch or rollback at which a process may die; `to-service` alone passes `unlink`. */
export const SWITCH_POINTS = [
  'before-begin',
  'after-begin',
  'before-hold',
  'after-hold',
  'before-fence',
  'after-fence',
  'after-marker',
  'after-reconcile',
  'before-sequences',
  'after-sequences',
  'before-owner-commit',
  'after-owner-commit',
  'before-unfence',
  'after-unfence',
  'after-release',
  'before-end',
  'after-end',
] as const
const ONLY_THERE: readonly string[] = ['before-hold']

/**
 * Asks for the next switch or rollback, lets the mover be killed at the point, starts another one and follows the
 * intent to its end.
 */
export async function killAt(world: World, env: Record<string, string | undefined>, point: string): Promise<boolean> {
  const there = (await world.stored()).owner === 'monolith'
  if (!there && ONLY_THERE.includes(point)) return false
  const doomed = spawnMover(env, `mover.switch.${point}=kill`)
  const verb = there ? 'switch' : 'rollback'
  let died: string | number | null = null
  void doomed.ended.then((how) => {
    died = how
  })
  // A refused intent (the lag of a machine that has just restarted a mover) is asked for again.
  let id = await askAgain(world, verb, null)
  await until(`the mover to die at ${point} of the ${verb}`, 90_000, async () => {
    if (died === null) id = await askAgain(world, verb, id)
    return died !== null
  }).finally(() => doomed.signal('SIGKILL'))
  expect(died).toBe('SIGKILL')
  await expectOneOpenAtMost(world)
  const mover = world.start()
  try {
    const settled = await until(`${verb} to end after a kill at ${point}`, 90_000, async () => {
      id = await askAgain(world, verb, id)
      const state = await intentState(world.db.control, id)
      return state.state === 'pending' || state.state === 'running' ? null : state
    })
    expect(settled, point).toMatchObject({ state: 'done' })
    await until('the row to be at rest', 10_000, async () => (await world.stored()).step === null)
    expect(await world.stored(), point).toMatchObject({ owner: there ? 'service' : 'monolith', hold: false })
    await expectOneOpenAtMost(world)
    expect(await world.ask('verify'), point).toMatchObject({ state: 'done' })
  } finally {
    await mover.stop()
  }
  return true
}

/** The open intent, or a new one after a refusal that changed nothing. */
async function askAgain(world: World, verb: 'switch' | 'rollback', id: bigint | null): Promise<bigint> {
  if (id !== null && (await intentState(world.db.control, id)).state !== 'refused') return id
  const next = await askFor(world.db.control, { context: 'goods', verb, source: 'cli', who: 'test' })
  if (next === null) throw new Error(`${verb}: another intent is open`)
  return next
}
