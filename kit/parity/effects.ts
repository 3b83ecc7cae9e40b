import { createEventWatch } from './event-watch.ts'
import { createRowWatch, type WatchedTable } from './row-watch.ts'
import type { Effects } from './side.ts'

/** Where a side's rows and events are to be seen; of events, those of one context, which are the other side's too. */
export type EffectSources = {
  database: string
  tables: readonly WatchedTable[]
  context: string
  amqp?: string | undefined
}

/** Where both sides tell their events, and hear of others'. */
export const EXCHANGE = 'banyan.events'

/**
 * Reads what a side's requests did to its database and told by its outbox. The outbox says how many events to wait
 * for, so that one which never leaves it is missing rather than late.
 */
export async function watchEffects(sources: EffectSources): Promise<Effects> {
  const rows = createRowWatch({ url: sources.database, tables: sources.tables, context: sources.context })
  const events = sources.amqp
    ? await createEventWatch({ url: sources.amqp, exchange: EXCHANGE, context: sources.context })
    : undefined
  return {
    async begin() {
      await rows.begin()
      events?.begin()
    },
    async collect() {
      const changed = await rows.collect()
      const expected = (await rows.eventsSince()) ?? 0
      return { rows: changed, ...(events ? { events: await events.collect(expected) } : {}) }
    },
    async close() {
      await events?.close()
      await rows.close()
    },
  }
}
