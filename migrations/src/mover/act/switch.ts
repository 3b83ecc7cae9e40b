import { failPoint, messageWithoutValues } from '@banyan/kit/service'
import { beginAttempt, noteMarker, noteTrouble } from '../../control/attempts.ts'
import { changeContext, lockContexts } from '../../control/contexts.ts'
import { preparedFingerprints } from '../../control/sightings.ts'
import { type Direction, type Intent, type Stored, targetOf } from '../../control/stored.ts'
import { inTransaction } from '../../control/transaction.ts'
import { dropCrossingKeys } from '../../data/crossing-keys.ts'
import { Drifted, fenceSource, tellOwner, unfenceTarget } from '../../data/fence.ts'
import { LockBusy } from '../../data/lock-retry.ts'
import { reconcile } from '../../data/reconcile.ts'
import { alignSequences, NoRoom } from '../../data/sequences.ts'
import { raiseToken } from '../../data/token.ts'
import { neighboursOf } from '../gather-facts.ts'
import { neighbourLocks } from '../interlocks.ts'
import type { Runtime } from '../runtime.ts'
import { timed } from './timed.ts'

/** Several tries, each of at most 800 ms, well within an attempt's budget. */
const UNLINK_MS = 2_000

/**
 * Begins an attempt by compare-and-set (rule 16), unless a neighbour has set out since the interlocks were looked at. Back
 * to the monolith there is nothing to unlink, so the hold is at once.
 */
export async function beginSwitch(run: Runtime, stored: Stored, intent: Intent, direction: Direction): Promise<void> {
  const token = stored.token + 1n
  const first = direction === 'to-service' ? { step: 'unlink' as const } : { step: 'hold' as const, hold: true }
  await failPoint('mover.switch.before-begin')
  const begun = await inTransaction(run.control, async (db) => {
    const neighbours = await neighboursOf(run, (contexts) => lockContexts(db, contexts))
    if (neighbourLocks({ direction, ...neighbours }).length > 0) return false
    const changes = { phase: 'switching' as const, formerPhase: stored.phase, direction, token, ...first }
    if (!(await changeContext(db, stored.context, { ...compareOf(stored), step: null }, changes))) return false
    await beginAttempt(db, stored.context, token, direction, intent.id)
    return true
  })
  await failPoint('mover.switch.after-begin')
  if (begun) startAttempt(run, token, stored.move)
}

/** From here on this leadership's transactions carry the attempt's token. */
export function startAttempt(run: Runtime, token: bigint, move: bigint): void {
  run.lanes.adopt(token, move)
  run.timings = {}
  run.marks = { hold: performance.now() }
}

/** Nothing is held yet, so the keys' tables may be tried for a while. */
export async function unlink(run: Runtime, stored: Stored): Promise<void> {
  const lane = await laneOf(run, stored)
  await failPoint('mover.switch.before-unlink')
  await troubled(run, stored, async () => {
    await timed(run, 'unlink', () =>
      dropCrossingKeys(
        lane.from,
        lane,
        lane.tables.map((table) => table.source),
        { deadlineMs: UNLINK_MS },
      ),
    )
    await failPoint('mover.switch.before-hold')
    await toStep(run, stored, { step: 'hold', hold: true })
    run.marks = { hold: performance.now() }
  })
}

/** Every live proxy and worker has drained; what is next is stored before it is done. */
export async function holdEnded(run: Runtime, stored: Stored): Promise<void> {
  run.timings.hold = performance.now() - run.marks.hold
  await failPoint('mover.switch.after-hold')
  await toStep(run, stored, { step: 'fence' })
}

/** Rule 18: one try for the lock; a collision aborts the attempt, so that held requests do not pay for it. */
export async function fence(run: Runtime, stored: Stored): Promise<void> {
  const lane = await laneOf(run, stored)
  const prepared = await preparedFingerprints(run.control, stored.context, stored.move)
  await failPoint('mover.switch.before-fence')
  await troubled(run, stored, async () => {
    const options = { deadlineMs: 1, ...(prepared ? { fingerprint: prepared[lane.fromSide].hash } : {}) }
    const { marker } = await timed(run, 'fence', () => fenceSource(lane, options))
    await failPoint('mover.switch.after-fence')
    await noteMarker(run.control, stored.context, stored.token, marker)
    await toStep(run, stored, { step: 'marker' })
    run.marks.marker = performance.now()
  })
}

/** Rule 19, first half: what the marker closed off is found row by row on the target. */
export async function reconcileToMarker(run: Runtime, stored: Stored, marker: bigint): Promise<void> {
  const lane = await laneOf(run, stored)
  run.timings.marker = performance.now() - (run.marks.marker ?? performance.now())
  await failPoint('mover.switch.after-marker')
  await troubled(run, stored, async () => {
    const { complete, blocked } = await timed(run, 'reconcile', () => reconcile(lane, marker))
    await failPoint('mover.switch.after-reconcile')
    if (blocked) await noteTrouble(run.control, stored, `${blocked.tbl} ${blocked.key}: ${blocked.reason}`, false)
    if (complete) await toStep(run, stored, { step: 'sequences' })
  })
}

/** Rule 19, second half: the target stores this attempt's token, and its sequences are beyond the source's. */
export async function sequences(run: Runtime, stored: Stored): Promise<void> {
  const lane = await laneOf(run, stored)
  await failPoint('mover.switch.before-sequences')
  await troubled(run, stored, async () => {
    await timed(run, 'sequences', () => alignSequences(lane, { declared: declaredSequences(run) }))
    await failPoint('mover.switch.after-sequences')
    await toStep(run, stored, { step: 'commit' })
  })
}

/**
 * Rule 20, the point of no return, on the connection that holds the lead. A lost reply is no failure: the row is read
 * again and says what became of it; until it can be read nothing is unfenced on either side.
 */
export async function commit(run: Runtime, stored: Stored): Promise<void> {
  const owner = targetOf(direction(stored))
  await failPoint('mover.switch.before-owner-commit')
  const leftMs = ((await laneOf(run, stored)).untilMs ?? Number.POSITIVE_INFINITY) - performance.now()
  await timed(run, 'commit', () =>
    run.leadership.within(leftMs, (db) =>
      changeContext(
        db,
        stored.context,
        { token: stored.token, phase: 'switching' },
        { owner, term: stored.term + 1n, phase: 'switched', step: 'unfence' },
      ),
    ),
  )
  await failPoint('mover.switch.after-owner-commit')
}

/** Rule 21. The token is raised first: after a take-over the target still stores the former attempt's. */
export async function unfence(run: Runtime, stored: Stored): Promise<void> {
  const lane = await laneOf(run, stored)
  await failPoint('mover.switch.before-unfence')
  await timed(run, 'unfence', async () => {
    await raiseToken(lane.to, lane)
    await unfenceTarget(lane, { owner: stored.owner, term: stored.term })
  })
  await failPoint('mover.switch.after-unfence')
  await timed(run, 'release', () =>
    changeContext(run.control, stored.context, compareOf(stored), { step: 'release', hold: false }),
  )
  await failPoint('mover.switch.after-release')
}

/** After the release nobody waits any more: the former owner learns who the new one is. */
export async function tellFormerOwner(run: Runtime, stored: Stored): Promise<void> {
  const lane = await laneOf(run, stored)
  await tellOwner(lane.from, lane, { owner: stored.owner, term: stored.term })
  await failPoint('mover.switch.before-end')
}

/** A declared sequence has the same name on both sides. */
const declaredSequences = (run: Runtime) =>
  run.plan.sequences.map((name) => ({ source: { schema: 'public', name }, target: { schema: 'public', name } }))

export const compareOf = ({ token, phase, step }: Stored) => ({ token, phase, step })

export function direction(stored: Stored): Direction {
  if (stored.direction === null) throw new Error(`${stored.context} is ${stored.phase} without a direction`)
  return stored.direction
}

export const laneOf = (run: Runtime, stored: Stored) => run.lanes.of(direction(stored))

const toStep = (run: Runtime, stored: Stored, changes: Parameters<typeof changeContext>[3]) =>
  changeContext(run.control, stored.context, compareOf(stored), changes)

/** What stands in an attempt's way is stored as its trouble; what is next is then to abort. */
async function troubled(run: Runtime, stored: Stored, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (error instanceof LockBusy) await noteTrouble(run.control, stored, error.message, true)
    else if (error instanceof Drifted || error instanceof NoRoom)
      await noteTrouble(run.control, stored, error.message, false)
    else if (isHopeless(error))
      await noteTrouble(run.control, stored, `${stored.step}: ${messageWithoutValues(error)}`, false)
    else throw error
  }
}

/**
 * What is asked of the database is wrong, or not allowed (SQLSTATE class 42): it is not better a moment later, and
 * whoever is held would wait for it through every attempt.
 */
function isHopeless(error: unknown): error is Error {
  return error instanceof Error && /^42/.test(String((error as { code?: unknown }).code))
}
