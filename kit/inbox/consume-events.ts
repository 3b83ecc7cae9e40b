import { setTimeout as delay } from 'node:timers/promises'
import { type Broker, eventTopology, type Log, type Topology } from '../broker/index.ts'
import type { Event } from '../outbox/envelope.ts'
import type { WorkGate } from '../ownership/work-gate.ts'
import type { Sql } from '../sql.ts'
import { consume } from './consume.ts'
import type { Side } from './ownership.ts'

/** Handles one event in the transaction that also notes it as handled; `Trx` is the query builder's own. */
export type EventHandler<Trx> = (trx: Trx, event: Event) => Promise<void>

export type ConsumeEventsOptions<Trx extends Sql> = {
  context: string
  side: Side
  handlers: Readonly<Record<string, EventHandler<Trx>>>
  /** A pool of connections to the context's database: Knex as it is. */
  db: { transaction(work: (trx: Trx) => Promise<unknown>): Promise<unknown> }
  /** Without one nothing comes. */
  broker: Broker | undefined
  gate: WorkGate
  logger: Log
}

const queueOf = (context: string): string => `banyan.${context}`

/**
 * Where the events arrive that a context has handlers for. Its process has to have it before it tells events of its own:
 * what is told before a queue asks for it goes past whoever reads that queue later.
 */
export const heardBy = (context: string, handlers: Readonly<Record<string, unknown>>): Topology =>
  eventTopology(queueOf(context), Object.keys(handlers))

/** Longer than any hold lasts. */
const LONGEST_HOLD_MS = 15_000

/**
 * Lets a context react to events from the queue `banyan.<context>`, each handled once; while the context is held, or the
 * other side's, nothing is taken.
 */
export function consumeEvents<Trx extends Sql>(options: ConsumeEventsOptions<Trx>): { close(): Promise<void> } {
  const { broker, context, side, handlers, db, gate, logger } = options
  if (!broker) return { close: async () => undefined }
  const closing = new AbortController()

  async function transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const until = Date.now() + LONGEST_HOLD_MS
    while (Date.now() < until && !closing.signal.aborted) {
      const passed = await gate.pass([context], async () => ({ result: (await db.transaction(work)) as T }))
      if (passed) return passed.result
      await delay(50)
    }
    throw new Error(`${context} is held; the event comes again`)
  }

  const wrapped = Object.entries(handlers).map(
    ([type, handle]) =>
      // `consume` knows of the transaction only that it runs SQL; it is the one made above.
      [type, (event: Event, { sql }: { sql: Sql }) => handle(sql as Trx, event)] as const,
  )
  const consumer = consume({
    ...{ broker, queue: queueOf(context), transaction, context, side, logger },
    handlers: Object.fromEntries(wrapped),
  })
  return {
    async close() {
      closing.abort()
      await consumer.close()
    },
  }
}
