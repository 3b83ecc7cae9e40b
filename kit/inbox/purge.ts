import { setTimeout as delay } from 'node:timers/promises'
import type { Log } from '../broker/index.ts'
import type { InTransaction } from './failures.ts'

interface PurgeOptions {
  transaction: InTransaction
  maxAgeMs: number
  log: Log
  everyMs?: number
}

const BATCH = 2_000

/** Forgets what was handled long ago, in small batches, while no other process of this database does. */
export function startPurge({ transaction, maxAgeMs, log, everyMs = 60_000 }: PurgeOptions): { close(): Promise<void> } {
  const stop = new AbortController()
  const done = run()
  return {
    async close() {
      stop.abort()
      await done
    },
  }

  async function run(): Promise<void> {
    while (await delay(everyMs, true, { signal: stop.signal }).catch(() => false)) {
      try {
        while (!stop.signal.aborted && (await purgeInbox(transaction, maxAgeMs, BATCH)) === BATCH);
      } catch (error) {
        log.warn({ err: error }, 'purging the inbox failed; trying again in a minute')
      }
    }
  }
}

/** @returns how many rows were deleted; 0 also when another process is purging */
export async function purgeInbox(transaction: InTransaction, maxAgeMs: number, limit: number): Promise<number> {
  return await transaction(async (sql) => {
    const lock = await sql.raw("select pg_try_advisory_xact_lock(hashtext('banyan inbox purge')) as locked")
    if (!lock.rows[0].locked) return 0
    await sql.raw(
      "delete from banyan.inbox_failures where updated_at < clock_timestamp() - ? * interval '1 millisecond'",
      [maxAgeMs],
    )
    const { rows } = await sql.raw(
      `with gone as (
         delete from banyan.inbox where (consumer, event_id) in (
           select consumer, event_id from banyan.inbox
            where handled_at < clock_timestamp() - ? * interval '1 millisecond' order by handled_at limit ?)
         returning 1)
       select count(*)::int as deleted from gone`,
      [maxAgeMs, limit],
    )
    return rows[0].deleted
  })
}
