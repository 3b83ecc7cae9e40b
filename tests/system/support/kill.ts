/** Lets the mover die at a fail point, starts it again, and follows what was asked for to its end. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expectAtRest, expectOneOpenAtMost } from './invariants.ts'
import { askFor, endOf, follow, type Settled, stateOf } from './moves.ts'
import type { System } from './system.ts'

export type Killed = Settled & { killed: boolean }

const ASKINGS = 3
const REACHED_WITHIN_MS = 40_000

/** A refusal names what it waits for (lag, a lease): nothing has changed, and asking again is what it asks for. */
const mayAskAgain = ({ state }: Settled): boolean => state === 'refused'

/**
 * @param options.env more environment for the mover that is to die
 * @param options.also more fail points of the same mover
 * @returns how it ended; not killed where the intent ended without the point being reached
 */
export async function killAt(
  system: System,
  point: string,
  verb: string,
  options: { args?: object; env?: Record<string, string>; also?: string } = {},
): Promise<Killed> {
  const armed = [`${point}=kill`, ...(options.also ? [options.also] : [])].join(',')
  const doomed = await system.stack.restart('mover', { ...options.env, FAIL_POINTS: armed })
  for (let asking = 1; ; asking += 1) {
    const id = await askFor(system, verb, options.args)
    const ended = await Promise.race([doomed.ended.then(() => undefined), endWithin(system, id)])
    if (ended && mayAskAgain(ended) && asking < ASKINGS) continue
    if (ended) return { ...ended, killed: false }
    await expectOneOpenAtMost(system)
    await system.stack.restart('mover')
    const settled = await follow(system, id)
    await expectAtRest(system)
    return { ...settled, killed: true }
  }
}

async function endWithin(system: System, id: string): Promise<Settled> {
  for (const deadline = Date.now() + REACHED_WITHIN_MS; Date.now() < deadline; await sleep(50)) {
    const settled = await endOf(system, id)
    if (settled) return settled
  }
  throw new Error(`intent ${id} has no end and nobody died; ${JSON.stringify(await stateOf(system))}`)
}

/**
 * Lets one mover after the other die while the same intent is carried out: each is armed with the next point.
 * @param points each a name, or a whole specification such as `apply.after-commit=after:10:kill`
 * @throws where a point is not reached, or the intent does not end as done
 */
export async function killAlong(
  system: System,
  verb: string,
  points: readonly string[],
  { args = {}, env = {}, also }: { args?: object; env?: Record<string, string>; also?: string } = {},
): Promise<void> {
  let id: string | undefined
  for (const point of points) {
    const armed = [point.includes('=') ? point : `${point}=kill`, ...(also ? [also] : [])].join(',')
    const doomed = await system.stack.restart('mover', { ...env, FAIL_POINTS: armed })
    for (let asking = 1; asking <= ASKINGS; asking += 1) {
      id ??= await askFor(system, verb, args)
      const ended = await Promise.race([doomed.ended.then(() => undefined), endWithin(system, id)])
      if (!ended) break
      if (!mayAskAgain(ended) || asking === ASKINGS)
        throw new Error(`${verb} ended before ${point} was reached: ${ended.state}, ${ended.because}`)
      id = undefined
    }
    await expectOneOpenAtMost(system)
  }
  await system.stack.restart('mover')
  let settled = await follow(system, id ?? (await askFor(system, verb, args)))
  for (let asking = 1; mayAskAgain(settled) && asking < ASKINGS; asking += 1)
    settled = await follow(system, await askFor(system, verb, args))
  if (settled.state !== 'done') throw new Error(`${verb}: ${settled.state}, ${settled.because}`)
}
