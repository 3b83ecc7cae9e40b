/** What a proxy or a worker knows of ownership: always an answer, how old it is, and whether its lease still holds. */
import { EventEmitter } from 'node:events'
import type { Logger } from '../service/logger.ts'
import { createAcknowledger } from './acknowledge.ts'
import { createControlClock } from './control-clock.ts'
import { COLUMNS, type Ownership, toOwnership } from './ownership.ts'
import { keepSession, type Query, type Session } from './session.ts'

export type Subscriber = { readonly id: string; readonly kind: 'proxy' | 'worker' }

export type WatchOptions = {
  /** The control database, directly (no pooler). */
  connectionString: string
  /** Absent: only looks; present: movers wait for this process to drain. */
  subscriber?: Subscriber
  /**
   * Called when a hold is seen, after the `change` listeners. Resolves when nothing that writes the context is in flight
   * any more; only then is the epoch acknowledged. A rejection is logged and asked again at the next poll.
   */
  drained?(context: string): Promise<void>
  /**
   * The same for a context that is seen at rest: resolves when no read in flight was sent to its service, whose tables
   * are emptied when a move is taken back.
   */
  readsEnded?(context: string): Promise<void>
  logger: Logger
}

export type OwnershipWatch = {
  /** Resolves after the first read; rejects only if closed before. */
  readonly ready: Promise<void>
  get(context: string): Ownership | undefined
  all(): readonly Ownership[]
  /** The control database's time, never early: at most a round trip late. The local clock's before the first read. */
  now(): Date
  /** Milliseconds since the last successful read was sent; Infinity before the first. */
  staleMs(): number
  /** Whether the lease in the subscribers' table surely still holds; without a subscriber, whether reads are fresh. */
  leaseValid(): boolean
  /** Asks for a read as soon as possible and resolves after it, or after `withinMs` without one. */
  refresh(withinMs?: number): Promise<void>
  /** `listener` gets each context whose epoch changed. @returns Takes the listener away. */
  on(event: 'change', listener: (now: Ownership, before: Ownership | undefined) => void): () => void
  /** Takes the subscription back, so that no mover waits for it. Call it after the last request has ended. */
  close(): Promise<void>
}

const LEASE_MS = 3_000
const RENEW_MS = 1_000
const POLL_MS = 250

/**
 * Follows `banyan.contexts` by LISTEN, with a poll each 250 ms as the fallback, and holds a lease of 3 s.
 * With the control database away it goes on by what it knew last; `staleMs` and `leaseValid` tell.
 */
export function watchOwnership(options: WatchOptions): OwnershipWatch {
  const { subscriber, logger } = options
  const events = new EventEmitter()
  const clock = createControlClock()
  const ready = Promise.withResolvers<void>()
  ready.promise.catch(() => undefined)
  let known = new Map<string, Ownership>()
  let readSentAt = Number.NEGATIVE_INFINITY
  let leaseEndsAt = Number.NEGATIVE_INFINITY
  let closed = false

  const acknowledger = subscriber
    ? createAcknowledger({
        subscriber,
        drained: options.drained,
        readsEnded: options.readsEnded,
        wake: () => keeper.wake(),
        logger,
      })
    : undefined

  const read = async (query: Query): Promise<void> => {
    const sentAt = performance.now()
    const rows = await query(`select ${COLUMNS}, clock_timestamp() as now from banyan.contexts order by context`)
    const time = rows[0]?.now as Date | undefined
    if (time) clock.set(time, sentAt)
    readSentAt = sentAt
    const before = known
    known = new Map(rows.map((row) => [row.context as string, toOwnership(row)]))
    for (const now of known.values())
      if (now.epoch !== before.get(now.context)?.epoch) announce(now, before.get(now.context))
    acknowledger?.saw([...known.values()])
    events.emit('read')
  }

  // A listener that throws must not keep the others, or the acknowledgement, from happening.
  const announce = (now: Ownership, before: Ownership | undefined): void => {
    for (const listener of events.listeners('change')) {
      try {
        listener(now, before)
      } catch (err) {
        logger.error({ err, context: now.context }, 'a listener of an ownership change failed')
      }
    }
  }

  /** Register (or renew) first, read second: what is read after it, every later mover will wait for. */
  const renew = async (query: Query, anew: boolean): Promise<void> => {
    // Counted from before the renewal leaves, so that the belief here ends no later than the row says.
    const sentAt = performance.now()
    if (acknowledger) await acknowledger.renew(query, LEASE_MS, anew)
    await read(query)
    if (acknowledger?.unregistered(known.keys())) return await renew(query, false)
    if (closed) return
    leaseEndsAt = sentAt + LEASE_MS
    ready.resolve()
  }

  // What an earlier process acknowledged under this id says nothing about this one.
  let fresh = true
  const work = async (session: Session): Promise<void> => {
    await session.query('listen banyan_ownership')
    let renewedAt = performance.now()
    await renew(session.query, fresh)
    fresh = false
    for (;;) {
      await acknowledger?.flush(session.query)
      await session.idle(POLL_MS)
      const fromNow = performance.now()
      if (fromNow - renewedAt >= RENEW_MS || acknowledger?.unregistered(known.keys())) {
        await renew(session.query, false)
        renewedAt = fromNow
      } else await read(session.query)
    }
  }
  const keeper = keepSession({
    connectionString: options.connectionString,
    name: `banyan watch ${subscriber?.id ?? ''}`.trim(),
    logger,
    work,
  })

  const staleMs = () => performance.now() - readSentAt
  return {
    ready: ready.promise,
    get: (context) => known.get(context),
    all: () => [...known.values()],
    now: clock.now,
    staleMs,
    leaseValid: () => (subscriber ? performance.now() < leaseEndsAt : staleMs() < LEASE_MS),
    async refresh(withinMs = 500) {
      const asked = performance.now()
      const fresh = Promise.withResolvers<void>()
      const look = () => readSentAt >= asked && fresh.resolve()
      const timer = setTimeout(fresh.resolve, withinMs)
      events.on('read', look)
      keeper.wake()
      await fresh.promise
      clearTimeout(timer)
      events.off('read', look)
    },
    on(event, listener) {
      events.on(event, listener)
      return () => events.off(event, listener)
    },
    async close() {
      closed = true
      ready.reject(new Error('closed before the control database was read'))
      leaseEndsAt = Number.NEGATIVE_INFINITY
      acknowledger?.stop()
      await keeper.close((query) => acknowledger?.leave(query) ?? Promise.resolve())
    },
  }
}
