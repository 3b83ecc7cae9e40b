// What is remembered of messages in trouble. Each of these is a transaction of its own: the handler's is rolled back,
// or never ends, exactly when they matter.

import type { Sql } from '../sql.ts'

export type InTransaction = <T>(work: (sql: Sql) => Promise<T>) => Promise<T>

export interface FailureRecord {
  attempts: number
  starts: number
  /** Milliseconds until it may be tried again; 0 when it may be now. */
  waitMs: number
  error: string | undefined
}

export interface Failures {
  find(eventId: string): Promise<FailureRecord | undefined>
  /** Counts a start, until one of the others tells how it ended. */
  started(eventId: string): Promise<void>
  /** Neither finished nor failed: the start does not count. */
  unstarted(eventId: string): Promise<void>
  /** Counts a failed attempt, and answers how many there were. */
  failed(eventId: string, error: string, waitMs: (attempts: number) => number): Promise<number>
  /** In the handler's transaction, or after the dead letter was confirmed: the trouble is over. */
  forget(sql: Sql, eventId: string): Promise<void>
}

export function createFailures(transaction: InTransaction, consumer: string): Failures {
  return {
    async find(eventId) {
      const { rows } = await transaction(async (sql) =>
        sql.raw(
          `select attempts, starts, error,
                  greatest(0, extract(epoch from retry_at - clock_timestamp()) * 1000)::float8 as wait
             from banyan.inbox_failures where consumer = ? and event_id = ?`,
          [consumer, eventId],
        ),
      )
      const row = rows[0]
      return row && { attempts: row.attempts, starts: row.starts, waitMs: row.wait ?? 0, error: row.error ?? undefined }
    },

    async started(eventId) {
      // The very first delivery is not counted, which would cost every message a transaction; so a message that comes
      // again and is not known yet is taken to have been begun once.
      await transaction(async (sql) =>
        sql.raw(
          `insert into banyan.inbox_failures as f (consumer, event_id, starts) values (?, ?, 2)
           on conflict (consumer, event_id) do update set starts = f.starts + 1, updated_at = clock_timestamp()`,
          [consumer, eventId],
        ),
      )
    },

    async unstarted(eventId) {
      await transaction(async (sql) =>
        sql.raw('update banyan.inbox_failures set starts = 0 where consumer = ? and event_id = ?', [consumer, eventId]),
      )
    },

    async failed(eventId, error, waitMs) {
      return await transaction(async (sql) => {
        const { rows } = await sql.raw(
          `insert into banyan.inbox_failures as f (consumer, event_id, attempts, error) values (?, ?, 1, ?)
           on conflict (consumer, event_id) do update
             set attempts = f.attempts + 1, starts = 0, error = excluded.error, updated_at = clock_timestamp()
           returning attempts`,
          [consumer, eventId, error],
        )
        const attempts: number = rows[0].attempts
        await sql.raw(
          `update banyan.inbox_failures set retry_at = clock_timestamp() + ? * interval '1 millisecond'
            where consumer = ? and event_id = ?`,
          [waitMs(attempts), consumer, eventId],
        )
        return attempts
      })
    },

    async forget(sql, eventId) {
      await sql.raw('delete from banyan.inbox_failures where consumer = ? and event_id = ?', [consumer, eventId])
    },
  }
}
