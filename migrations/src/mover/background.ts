import { setTimeout as sleep } from 'node:timers/promises'
import { noteCanary, noteHeartbeat } from '../control/sightings.ts'
import { type Direction, onTheMove, type Stored } from '../control/stored.ts'
import { appliedBeat, sendBeat } from '../data/canary.ts'
import { startApplier } from '../data/change-lane.ts'
import { startChangesRelay } from '../data/changes-relay.ts'
import type { Lane } from '../data/lane.ts'
import { type Moment, purgeTombstones, takeMoment } from '../data/purge.ts'
import { laneReconciler } from './lane-reconciler.ts'
import { laneFromOwner } from './lanes.ts'
import type { Runtime } from './runtime.ts'

const HEARTBEAT_MS = 250
const CANARY_MS = 2_000
const RECONCILE_MS = 2_000
const PURGE_MS = 60_000
/** How often an idle lane is looked at. In a switch, held requests wait for its marker. */
const IDLE_LANE_MS = { switching: 5, else: 100 }

const DIRECTIONS = ['to-service', 'to-monolith'] as const

type Blocks = Record<Direction, string | null>
type Closable = { close(): Promise<void> }

export type Background = {
  /** Starts or stops what belongs to the stored state; run again, it changes nothing. Throws when a lane cannot start. */
  adjust(stored: Stored, mine: boolean): Promise<void>
  stop(): Promise<void>
}

/** What goes on all the time a context is on the move: both lanes, heartbeat, canary, reconciliation, purge. */
export function createBackground(run: Runtime): Background {
  let running: Closable[] = []
  let wanted = false
  let settling: Promise<void> | null = null
  let owner: Stored['owner'] = 'monolith'
  // An abort wants the fence rows that every task holds for a moment: where one waits, the next would be there before it.
  let aborting = false
  const at = { run, still: () => run.quiet || aborting }
  let phase: Stored['phase'] = 'idle'
  const idleMs = () => (phase === 'switching' ? IDLE_LANE_MS.switching : IDLE_LANE_MS.else)
  const canary = canaryWatch(run)
  const blocked: Blocks = { 'to-service': null, 'to-monolith': null }
  const start = async (into: Closable[]) => {
    await startLane(run, 'to-service', blocked, idleMs, into)
    await startLane(run, 'to-monolith', blocked, idleMs, into)
    into.push(
      every(at, 'heartbeat', HEARTBEAT_MS, async () => heartbeat(run, await laneFromOwner(run.lanes, { owner }))),
      every(at, 'canary', CANARY_MS, () => canary(owner === 'monolith' ? 'to-monolith' : 'to-service')),
      every(at, 'reconcile', RECONCILE_MS, laneReconciler(run)),
      every(at, 'purge', PURGE_MS, purger(run)),
    )
  }
  const end = async (ending: Closable[]) => {
    await Promise.all(ending.map((one) => one.close()))
    for (const direction of DIRECTIONS) noteBlock(run, blocked, direction, null)
  }
  const settle = async () => {
    while (wanted !== running.length > 0) {
      const next: Closable[] = []
      if (!wanted) await end(running)
      else
        await start(next).catch(async (error) => {
          // What has started must not go on beside what the next try starts.
          await end(next)
          throw error
        })
      running = next
    }
  }
  const settled = () => {
    settling ??= settle().finally(() => {
      settling = null
    })
    return settling
  }
  return {
    async stop() {
      wanted = false
      // A start that fails now has closed what it began; what ran before is closed by the next round.
      await settled().catch((err) => run.logger.debug({ err, context: run.plan.context }, 'a lane did not start'))
      await settled()
    },
    async adjust(stored, mine) {
      owner = stored.owner
      aborting = stored.phase === 'aborting'
      phase = stored.phase
      const takenApart = stored.step === 'unpreparing' || stored.step === 'completing'
      wanted = onTheMove(stored.phase) && mine && !takenApart
      await settled()
    },
  }
}

/** Relay and applier of one direction; each round takes the lane as it is then, under the token of that moment. */
async function startLane(
  run: Runtime,
  direction: Direction,
  blocked: Blocks,
  idleMs: () => number,
  into: Closable[],
): Promise<void> {
  const live = await run.lanes.of(direction)
  const lane = () => ({ ...live })
  const onError = (err: unknown) => run.logger.warn({ err, context: run.plan.context, direction }, 'a lane stumbled')
  await run.broker.declare(live)
  into.push(
    await startApplier(lane, run.broker, {
      onError,
      // An applied change looks for its row: under traffic the old tables would never seem to be left alone.
      isPaused: () => run.quiet && direction === 'to-monolith',
      onApplied(count) {
        if (count > 0) run.appliedAt[direction] = performance.now()
      },
      onBlocked(change) {
        noteBlock(run, blocked, direction, change && `${change.tbl} ${change.key}: ${change.reason}`)
        if (change) run.logger.error({ context: run.plan.context, direction, change }, 'a change cannot be applied')
      },
    }),
  )
  into.push(startChangesRelay(lane, run.broker, { onError, idleMs }))
}

/** A block is its applier's: the next applier meets it again, or not. */
function noteBlock(run: Runtime, blocked: Blocks, direction: Direction, reason: string | null): void {
  blocked[direction] = reason
  run.blocked.now = blocked['to-service'] ?? blocked['to-monolith']
}

async function controlNow(run: Runtime): Promise<Date> {
  const { rows } = await run.control.query<{ now: Date }>('select clock_timestamp() as now')
  return rows[0]!.now
}

/** A row that is inserted after a write, and has arrived, proves that the write has: read-your-writes ends by it. */
async function heartbeat(run: Runtime, lane: Lane): Promise<void> {
  await sendBeat(lane, await controlNow(run))
  const applied = await appliedBeat(lane)
  if (applied) await noteHeartbeat(run.control, run.plan.context, applied.at)
}

/**
 * Notes each beat that comes back on the reverse path. What this leadership, or this direction, sees first may be of
 * any age and is not noted; the beat after it is.
 */
function canaryWatch(run: Runtime): (direction: Direction) => Promise<void> {
  let last: { direction: Direction; beat: bigint | null } | null = null
  return async (direction) => {
    const lane = await run.lanes.of(direction)
    const beat = (await appliedBeat(lane))?.beat ?? null
    if (last?.direction === direction && beat !== last.beat) await noteCanary(run.control, run.plan.context)
    last = { direction, beat }
    // By the same clock: after a switch this row is the last one applied, until the first heartbeat of that way is.
    await sendBeat(lane, await controlNow(run))
  }
}

/** Tombstones up to a moment go once that moment is over; a moment that is not yet over is asked again. */
function purger(run: Runtime): () => Promise<void> {
  const moments = new Map<Direction, Moment>()
  return async () => {
    for (const direction of DIRECTIONS) {
      const lane = { ...(await run.lanes.of(direction)) }
      const moment = moments.get(direction)
      if (moment && (await purgeTombstones(lane, moment)) === null) continue
      moments.set(direction, await takeMoment(lane))
    }
  }
}

/** Repeats a task until it is closed; a failure is logged and the next round tries again. */
function every(
  { run, still }: { run: Runtime; still(): boolean },
  name: string,
  ms: number,
  task: () => Promise<void>,
): Closable {
  const stop = new AbortController()
  const loop = (async () => {
    while (!stop.signal.aborted) {
      if (!still())
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
