import { setTimeout as delay } from 'node:timers/promises'
import { consume } from '@banyan/kit/inbox'
import type { Event } from '@banyan/kit/outbox'
import type { Knex } from 'knex'
import type { Deps, Running } from './deps.ts'

/** Handles one event in the transaction that also notes it as handled. */
export type EventHandler = (trx: Knex.Transaction, event: Event) => Promise<void>

const LONGEST_HOLD_MS = 15_000

/**
 * Lets a context react to events, each handled once; while the context is held, or another side's, nothing is taken.
 * Without a broker nothing comes.
 */
export const consumeEvents = (
  { db, broker, gate, logger }: Pick<Deps, 'db' | 'broker' | 'gate' | 'logger'>,
  context: string,
  handlers: Readonly<Record<string, EventHandler>>,
): Running => {
  if (!broker) return { close: async () => undefined }
  const closing = new AbortController()
  const transaction = async <T>(work: (trx: Knex.Transaction) => Promise<T>): Promise<T> => {
    const until = Date.now() + LONGEST_HOLD_MS
    while (Date.now() < until && !closing.signal.aborted) {
      const passed = await gate.pass([context], async () => ({ result: await db.transaction(work) }))
      if (passed) return passed.result
      await delay(50)
    }
    throw new Error(`${context} is held; the event comes again`)
  }
  const wrapped = Object.entries(handlers).map(
    ([type, handle]) =>
      // The kit knows of the transaction only that it runs SQL; it is the one made above.
      [type, (event: Event, tools: { sql: unknown }) => handle(tools.sql as Knex.Transaction, event)] as const,
  )
  const consumer = consume({
    broker,
    queue: `banyan.${context}`,
    transaction,
    context,
    side: 'monolith',
    handlers: Object.fromEntries(wrapped),
    logger,
  })
  return {
    async close() {
      closing.abort()
      await consumer.close()
    },
  }
}
