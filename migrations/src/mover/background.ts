import { setTimeout as sleep } from 'node:timers/promises'
import { noteCanary, noteHeartbeat } from '../control/sightings.ts'
import { type Direction, onTheMove, type Stored } from '../control/stored.ts'
import { appliedBeat, sendBeat } from '../data/canary.ts'
import { startApplier } from '../data/change-lane.ts'
import { startChangesRelay } from '../data/changes-relay.ts'
import type { Lane } from '../data/lane.ts'
import { type Moment, purgeTombstones, takeMoment } from '../data/purge.ts'
import { reconcile } from '../data/reconcile.ts'
import { laneFromOwner } from './lanes.ts'
import type { Runtime } from './runtime.ts'

const HEARTBEAT_MS = 250
const CANARY_MS = 2_000
const RECONCILE_MS = 2_000
const PURGE_MS = 60_000

type Blocks = Record<Direction, string | null>
type Closable = { close(): Promise<void> }

export type Background = {
  /** Starts or stops what belongs to the stored state; run again, it changes nothing. */
  adjust(stored: Stored, mine: boolean): Promise<void>
  stop(): Promise<void>
}

/** What goes on all the time a context is on the move: both lanes, heartbeat, canary, reconciliation, purge. */
export function createBackground(run: Runtime): Background {
  let running: Closable[] = []
  let owner: Stored['owner'] = 'monolith'
  const blocked: Blocks = { 'to-service': null, 'to-monolith': null }
  const stop = async () => {
    const ending = running
    running = []
    await Promise.all(ending.map((one) => one.close()))
  }
  return {
    stop,
    async adjust(stored, mine) {
      owner = stored.owner
      const takenApart = stored.step === 'unpreparing' || stored.step === 'completing'
      const wanted = onTheMove(stored.phase) && mine && !takenApart
      if (!wanted) return stop()
      if (running.length > 0) return
      running = [
        ...(await startLane(run, 'to-service', blocked)),
        ...(await startLane(run, 'to-monolith', blocked)),
        every(run, 'heartbeat', HEARTBEAT_MS, async () => heartbeat(run, await laneFromOwner(run.lanes, { owner }))),
        every(run, 'canary', CANARY_MS, () => canary(run, owner === 'monolith' ? 'to-monolith' : 'to-service')),
        every(run, 'reconcile', RECONCILE_MS, reconciler(run)),
        every(run, 'purge', PURGE_MS, purger(run)),
      ]
    },
  }
}

/** Relay and applier of one direction; each round takes the lane as it is then, under the token of that moment. */
async function startLane(run: Runtime, direction: Direction, blocked: Blocks): Promise<Closable[]> {
  const live = await run.lanes.of(direction)
  const lane = () => ({ ...live })
  const onError = (err: unknown) => run.logger.warn({ err, context: run.plan.context, direction }, 'a lane stumbled')
  await run.broker.declare(live)
  const applier = await startApplier(lane, run.broker, {
    onError,
    onBlocked(change) {
      blocked[direction] = change && `${change.tbl} ${change.key}: ${change.reason}`
      run.blocked.now = blocked['to-service'] ?? blocked['to-monolith']
      if (change) run.logger.error({ context: run.plan.context, direction, change }, 'a change cannot be applied')
    },
  })
  return [startChangesRelay(lane, run.broker, { onError }), applier]
}

/** A row that is inserted after a write, and has arrived, proves that the write has: read-your-writes ends by it. */
async function heartbeat(run: Runtime, lane: Lane): Promise<void> {
  const { rows } = await run.control.query<{ now: Date }>('select clock_timestamp() as now')
  if (rows[0]) await sendBeat(lane, rows[0].now)
  const applied = await appliedBeat(lane)
  if (applied) await noteHeartbeat(run.control, run.plan.context, applied.at)
}

const seenBeats = new WeakMap<Runtime, bigint>()

async function canary(run: Runtime, direction: Direction): Promise<void> {
  const lane = await run.lanes.of(direction)
  const applied = await appliedBeat(lane)
  if (applied && seenBeats.get(run) !== applied.beat) await noteCanary(run.control, run.plan.context)
  if (applied) seenBeats.set(run, applied.beat)
  await sendBeat(lane)
}

/** Tombstones up to a moment go once that moment is over; a moment that is not yet over is asked again. */
function purger(run: Runtime): () => Promise<void> {
  const moments = new Map<Direction, Moment>()
  return async () => {
    for (const direction of ['to-service', 'to-monolith'] as const) {
      const lane = { ...(await run.lanes.of(direction)) }
      const moment = moments.get(direction)
      if (moment && (await purgeTombstones(lane, moment)) === null) continue
      moments.set(direction, await takeMoment(lane))
    }
  }
}

/** Looks one round behind the newest change, so that what is merely on its way is not applied a second time. */
function reconciler(run: Runtime): () => Promise<void> {
  const behind = new Map<Direction, bigint>()
  return async () => {
    for (const direction of ['to-service', 'to-monolith'] as const) {
      const lane = await run.lanes.of(direction)
      const upTo = behind.get(direction)
      if (upTo !== undefined && run.blocked.now === null) await reconcile({ ...lane }, upTo)
      const { rows } = await lane.from.query<{ id: string | null }>(
        'select max(id) as id from banyan.changes where context = $1',
        [lane.context],
      )
      if (rows[0]?.id) behind.set(direction, BigInt(rows[0].id))
    }
  }
}

/** Repeats a task until it is closed; a failure is logged and the next round tries again. */
function every(run: Runtime, name: string, ms: number, task: () => Promise<void>): Closable {
  const stop = new AbortController()
  const loop = (async () => {
    while (!stop.signal.aborted) {
      if (!run.quiet)
        await task().catch((err) => run.logger.warn({ err, context: run.plan.context, task: name }, 'a task failed'))
      await sleep(ms, undefined, { signal: stop.signal }).catch(() => undefined)
    }
  })()
  return {
    async close() {
      stop.abort()
      await loop
    },
  }
}
