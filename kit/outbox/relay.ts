import { type Broker, EVENTS_EXCHANGE, type Log, type Topology } from '../broker/index.ts'
import type { Sql } from '../sql.ts'
import { runForLeader } from './leader.ts'
import { createMeter, type RelayStats } from './meter.ts'
import { pump } from './pump.ts'
import { deletePublished, measureBacklog } from './queries.ts'

export interface RelayOptions {
  /** Of the database whose `banyan.outbox` is relayed; direct, not through a pooler. */
  connectionString: string
  broker: Broker
  /** Where events go, a topic exchange that is declared if missing. @default 'banyan.events' */
  exchange?: string
  /** What else must be there before the first event goes out, such as `eventArchive()` for events nobody asks for. */
  topology?: Topology
  logger: Log
  /** Unconfirmed messages at most. @default 1000 */
  window?: number
  /** How often new rows are looked for while there are some, or this process has just appended. @default 20 */
  pollMs?: number
  /** How often else: the longest that an event waits which another process appends to an idle outbox. @default 200 */
  idlePollMs?: number
  confirmTimeoutMs?: number
  /** How long published rows are kept, in milliseconds. @default 7 days */
  retentionMs?: number
}

export interface Relay {
  stats(): RelayStats
  /** Stops reading, waits up to 2 s for confirms, marks, and lets the next relay lead. */
  close(): Promise<void>
}

/** How long the outbox keeps published rows unless told otherwise. */
export const OUTBOX_RETENTION_MS = 7 * 24 * 3_600_000

const PURGE_BATCH = 2_000
const PURGE_BATCHES_A_TICK = 5
const PURGE_IDLE_MS = 60_000

/**
 * Publishes what was appended, at least once and in order per stream. Any number of relays may run on a database: one
 * leads, the others stand by and take over within five seconds.
 */
export function startRelay(options: RelayOptions): Relay {
  const { connectionString, broker, exchange = EVENTS_EXCHANGE, logger: log } = options
  const { topology, window = 1_000, pollMs = 20, idlePollMs = 200, confirmTimeoutMs } = options
  const { retentionMs = OUTBOX_RETENTION_MS } = options
  if (!(window >= 1 && pollMs >= 1 && idlePollMs >= 1 && retentionMs >= 0)) {
    const polls = `pollMs ${pollMs}, idlePollMs ${idlePollMs}`
    throw new RangeError(`startRelay: window ${window}, ${polls}, retentionMs ${retentionMs} are out of range`)
  }
  const meter = createMeter()
  const stop = new AbortController()
  let nextPurge = 0

  const done = runForLeader({ connectionString, name: 'relay', log, lead, each }, stop.signal)
  return {
    stats: meter.stats,
    async close() {
      stop.abort()
      await done
    },
  }

  async function lead(sql: Sql, signal: AbortSignal): Promise<void> {
    // A publisher for each time of leading: what was under way when the session was lost goes with its channel.
    const publisher = broker.publisher({ window, confirmTimeoutMs })
    meter.leading(true)
    log.info({ exchange }, 'relay leads')
    try {
      await declareExchange(signal)
      await pump({ sql, broker, publisher, exchange, window, pollMs, idlePollMs, meter, log }, signal)
    } finally {
      meter.leading(false)
      await publisher.close()
    }
  }

  async function declareExchange(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await broker.declare({ exchanges: [{ exchange, type: 'topic' }] })
        if (topology) await broker.declare(topology)
        return
      } catch (error) {
        log.warn({ err: error, exchange }, 'cannot declare the exchange; trying again')
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
    }
  }

  async function each(sql: Sql): Promise<void> {
    const { backlog, oldestAgeMs } = await measureBacklog(sql)
    meter.measured(backlog, oldestAgeMs)
    if (meter.stats().leading && Date.now() >= nextPurge) await purge(sql)
  }

  // Small batches, and few at a time, so that a purge of millions of rows does not hold up the relay that shares the
  // session; ten thousand a second is still more than can be published.
  async function purge(sql: Sql): Promise<void> {
    for (let batch = 0; batch < PURGE_BATCHES_A_TICK; batch++) {
      const deleted = await deletePublished(sql, retentionMs, PURGE_BATCH)
      meter.purged(deleted)
      if (deleted < PURGE_BATCH) {
        nextPurge = Date.now() + PURGE_IDLE_MS
        return
      }
    }
  }
}
