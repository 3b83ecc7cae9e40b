import { setTimeout as delay } from 'node:timers/promises'
import { type Broker, EVENTS_EXCHANGE, eventTopology, type IncomingMessage, type Log } from '../broker/index.ts'
import { OUTBOX_RETENTION_MS } from '../outbox/relay.ts'
import { type ConsumerStats, noteConsumer } from './consumer-metrics.ts'
import { deliver, type Handler } from './deliver.ts'
import { createFailures, type InTransaction } from './failures.ts'
import { createLanes, createPlaces } from './lanes.ts'
import { readOwner, requireOwner, type Side, waitForOwner } from './ownership.ts'
import { startPurge } from './purge.ts'
import { checkRetention, type Retention } from './retention.ts'
import { DEFAULT_RETRY, type RetryPolicy } from './retry.ts'

export interface ConsumeOptions {
  broker: Broker
  /** By custom `banyan.<context>`: both sides of a context consume from the same one. */
  queue: string
  /** Event types to bind; each needs a handler. @default the types that have one */
  bindings?: readonly string[]
  exchange?: string
  /** What this consumer's handled events are noted under. @default the queue */
  consumer?: string
  /** Runs its argument in a transaction and commits it, or rolls it back when it throws. */
  transaction: InTransaction
  /** With both given, only messages that find this side to be the context's owner are handled. */
  context?: string
  side?: Side
  /** Saves asking the database every 250 ms: resolves when it is worth asking. */
  waitForOwnership?(signal: AbortSignal): Promise<unknown>
  handlers: Readonly<Record<string, Handler>>
  logger: Log
  /** Messages handled at a time; those of one stream one by one. @default 10 */
  concurrency?: number
  /** Messages in hand. @default 10 times the concurrency */
  prefetch?: number
  retry?: Partial<RetryPolicy>
  retention?: Partial<Retention>
}

export interface Consumer {
  /** Resolves once it consumes, or has found that it has to wait because the other side owns the context. */
  readonly ready: Promise<void>
  stats(): ConsumerStats
  /** Stops; resolves when nothing is being handled any more. For a hold: pause, then acknowledge. */
  pause(): Promise<void>
  resume(): void
  close(): Promise<void>
}

/**
 * Handles events exactly once per consumer, as far as the database goes: the note, the handler's writes and the events
 * it appends commit together, and only then is the message acknowledged.
 * @throws RangeError for a retention that would forget what can still come again
 */
export function consume(options: ConsumeOptions): Consumer {
  const { broker, queue, transaction, context, side, handlers, logger: log, concurrency = 10 } = options
  const { consumer = queue, bindings = Object.keys(handlers), prefetch = concurrency * 10 } = options
  const retention = checkRetention({ outboxMs: OUTBOX_RETENTION_MS, ...options.retention })
  const missing = bindings.filter((type) => !Object.hasOwn(handlers, type))
  if (missing.length > 0) throw new TypeError(`consume: ${queue} binds ${missing.join(', ')} but has no handler for it`)
  if ((context === undefined) !== (side === undefined)) throw new TypeError('consume: give both context and side')

  const counts = { handled: 0, duplicates: 0, failures: 0, dead: 0 }
  const lanes = createLanes()
  const publisher = broker.publisher({ window: 100 })
  const closing = new AbortController()
  let paused = false
  // Without a context there is nothing to own; with one, nothing is taken from the queue before this side has seen
  // that it owns it, lest it take messages just to give them back.
  let owner = context === undefined
  /** Aborted while consuming is stopped; a new one each time it starts. */
  let halt = new AbortController()
  if (!owner) halt.abort()
  let steering: Promise<void> = Promise.resolve()
  const topology = eventTopology(queue, bindings, options.exchange ?? EVENTS_EXCHANGE)

  const delivery = {
    queue,
    consumer,
    handlers,
    transaction,
    requireOwner: async (sql: Parameters<typeof requireOwner>[0]) => {
      if (context !== undefined && side !== undefined) await requireOwner(sql, context, side)
    },
    failures: createFailures(transaction, consumer),
    publisher,
    retry: { ...DEFAULT_RETRY, ...options.retry },
    places: createPlaces(concurrency),
    log,
    wait: (ms: number) => delay(ms, true, { signal: halt.signal }).catch(() => false),
    stopping: () => halt.signal.aborted,
    onNotOwner() {
      if (!owner) return
      owner = false
      log.info({ queue, context, side }, 'not the owner; consuming stops until it is')
      void steer()
      void awaitOwnership()
    },
    count(what: keyof typeof counts) {
      counts[what]++
    },
  }
  const subscription = broker.subscribe({
    queue,
    prefetch,
    topology,
    paused: !owner,
    onMessage: (message) => lanes.run(laneOf(message), () => deliver(delivery, message)),
  })
  const purge = startPurge({ transaction, maxAgeMs: retention.inboxMs, log })
  const firstLook = owner ? subscription.ready : lookForOwnership()
  const stats = () => ({ ...counts, active: subscription.active() })
  noteConsumer(broker, queue, stats)

  return {
    ready: firstLook,
    stats,
    async pause() {
      paused = true
      await steer()
    },
    resume() {
      paused = false
      void steer()
    },
    async close() {
      closing.abort()
      await steer()
      await Promise.all([subscription.close(), purge.close()])
      await publisher.close()
    },
  }

  /** Brings the subscription to where it should be, one change after the other. */
  function steer(): Promise<void> {
    const wanted = () => owner && !paused && !closing.signal.aborted
    if (!wanted()) halt.abort()
    steering = steering.then(async () => {
      if (!wanted()) await subscription.pause()
      else if (halt.signal.aborted) {
        halt = new AbortController()
        subscription.resume()
      }
    })
    return steering
  }

  /** Resolves when it consumes, or when it is clear that it has to wait and the queue is there to hold what comes. */
  async function lookForOwnership(): Promise<void> {
    let seen: string | undefined
    try {
      seen = await transaction(async (sql) => readOwner(sql, context ?? ''))
    } catch (error) {
      log.warn({ err: error, queue, context }, 'cannot see who owns the context; will keep looking')
    }
    const waiting = awaitOwnership()
    if (seen === side) await waiting.then(() => subscription.ready)
    else await broker.declare(topology).catch((error) => log.warn({ err: error, queue }, 'queue not declared yet'))
  }

  async function awaitOwnership(): Promise<void> {
    if (context === undefined || side === undefined) return
    await steering
    try {
      await options.waitForOwnership?.(closing.signal)
    } catch (error) {
      log.warn({ err: error, queue, context }, 'waiting for ownership failed; asking the database')
    }
    // Whatever was announced, this database's own word decides: it is the one that the handlers' transactions read.
    await waitForOwner(transaction, context, side, closing.signal)
    if (owner || closing.signal.aborted) return
    owner = true
    void steer()
  }
}

/** Streams of different contexts may share a name. */
function laneOf({ headers }: IncomingMessage): string {
  return `${headers['ce-source']} ${headers['ce-subject']}`
}
