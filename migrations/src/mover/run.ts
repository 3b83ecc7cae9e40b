import { setTimeout as sleep } from 'node:timers/promises'
import { connectBroker } from '@banyan/kit/broker'
import type { Flags } from '@banyan/kit/flags'
import type { FlagAdmin } from '@banyan/kit/flags/admin'
import type { Logger } from '@banyan/kit/service'
import type pg from 'pg'
import { becomeLeader, type Leadership } from '../control/leader.ts'
import { openControl } from '../control/open-control.ts'
import { changesBroker } from '../data/change-lane.ts'
import { openDb } from '../data/open-db.ts'
import { noteReadsFlags } from '../flags/note-reads-flags.ts'
import { watchWritesFlags } from '../flags/watch-writes-flags.ts'
import { ownSockets } from '../own-sockets.ts'
import type { Plan } from '../plan/plan.ts'
import type { CopyLimits } from './copy-brake.ts'
import { cutWhenLost } from './cut-when-lost.ts'
import { followContext } from './follow-context.ts'
import { createLanes } from './lanes.ts'
import { noteSightings } from './note-sightings.ts'
import type { Runtime } from './runtime.ts'
import { listenForWakeups } from './wakeups.ts'

/** Longer than a server's restart. */
const GIVE_UP_MS = 60_000
/** For connections that have been ended: a server that answers closes them at once. */
const FAREWELL_MS = 500

export type MoverOptions = {
  controlUrl: string
  /** A direct connection to a plan's database as the mover's role. */
  databaseUrl(database: string): string
  amqpUrl: string
  plans: ReadonlyMap<string, Plan>
  /** What Unleash says, and where to set it; absent where there is none. */
  flags?: { watch: Flags; admin: FlagAdmin | null } | undefined
  /** What an attempt may take before its owner commit; then it is aborted. */
  budgetMs: number
  /** How long the steps of an intent may keep failing before it is given up; a minute where absent. */
  giveUpMs?: number
  copyLimits: CopyLimits
  logger: Logger
}

export type Mover = { leading(): boolean; stop(): Promise<void> }

/** Runs until stopped: waits to lead, leads, and when the lead is lost waits again. Standbys only wait. */
export function startMover(options: MoverOptions): Mover {
  const stop = new AbortController()
  const { logger } = options
  let leading = false
  const loop = (async () => {
    while (!stop.signal.aborted) {
      try {
        const onStandby = () => logger.info('another mover leads; standing by')
        const leadership = await becomeLeader(options.controlUrl, stop.signal, onStandby)
        if (!leadership) continue
        leading = true
        logger.info('leads')
        await lead(options, leadership, stop.signal)
      } catch (err) {
        logger.error({ err }, 'the lead ended with an error; it is sought again')
        await sleep(500, undefined, { signal: stop.signal }).catch(() => undefined)
      } finally {
        leading = false
      }
    }
  })()
  return {
    leading: () => leading,
    async stop() {
      stop.abort(new Error('stopped'))
      await loop
    },
  }
}

async function lead(options: MoverOptions, leadership: Leadership, stop: AbortSignal): Promise<void> {
  const { logger, plans } = options
  const sockets = ownSockets()
  const onIdleBreak = (err: Error) => logger.warn({ err }, 'an idle control connection broke')
  const control = openControl(options.controlUrl, onIdleBreak, sockets)
  const closed = new AbortController()
  cutWhenLost(sockets, leadership.lost, closed.signal)
  const broker = connectBroker({ url: options.amqpUrl, name: 'banyan mover', logger })
  const lanes = changesBroker(broker)
  const databases = new Map<string, pg.Pool>()
  const database = (name: string) => {
    const known = databases.get(name)
    if (known) return known
    const opened = openDb(options.databaseUrl(name), { name: 'banyan mover', max: 10, sockets })
    databases.set(name, opened)
    return opened
  }
  const wakeups = listenForWakeups(options.controlUrl)
  const contexts = [...plans.keys()]
  const watch = options.flags && watchWritesFlags(options.flags.watch, contexts, control, logger)
  const notes = options.flags && noteReadsFlags(options.flags.watch, contexts, control, logger)
  const admin = options.flags?.admin
  const resign = () => void leadership.resign()
  stop.addEventListener('abort', resign)
  if (stop.aborted) resign()
  try {
    const runtimes = [...plans.values()].map((plan): Runtime => {
      const sides = { monolith: database(plan.databases.monolith), service: database(plan.databases.service) }
      return {
        plan,
        plans,
        control,
        leadership,
        sides,
        lanes: createLanes(plan, sides),
        broker: lanes,
        flags: watch && admin ? { admin, watch } : null,
        logger,
        budgetMs: options.budgetMs,
        giveUpMs: options.giveUpMs ?? GIVE_UP_MS,
        copyLimits: options.copyLimits,
        timings: {},
        marks: { hold: 0 },
        since: performance.now(),
        relinkAfter: 0,
        quiet: false,
        appliedAt: { 'to-service': null, 'to-monolith': null },
        blocked: { now: null },
        copyWaitsFor: { now: null },
      }
    })
    await Promise.all([...runtimes.map((run) => followContext(run, wakeups)), noteSightings(runtimes, leadership.lost)])
    logger.info({ reason: String(leadership.lost.reason) }, 'leads no more')
  } finally {
    stop.removeEventListener('abort', resign)
    const closing = [
      leadership.resign(),
      watch?.close(),
      notes?.close(),
      wakeups.close(),
      lanes.close().then(() => broker.close()),
      control.end(),
      ...[...databases.values()].map((db) => db.end()),
    ]
    for (const end of await Promise.allSettled(closing))
      if (end.status === 'rejected') logger.warn({ err: end.reason }, 'closing failed')
    closed.abort()
    await sockets.closed(FAREWELL_MS)
  }
}
