import type { Sql } from '../sql.ts'
import type { OutboxRow } from './envelope.ts'

export interface ReadOptions {
  limit: number
  /** Ids under way. */
  except: readonly string[]
  exceptStreams: readonly string[]
  onlyStreams: readonly string[] | undefined
}

/**
 * The oldest unpublished rows. Always all of them, never `id > last`: a transaction that began earlier may commit
 * later, with lower ids.
 */
export async function readUnpublished(sql: Sql, options: ReadOptions): Promise<OutboxRow[]> {
  const { limit, except, exceptStreams, onlyStreams } = options
  const conditions = ['published_at is null']
  const bindings: unknown[] = []
  const and = (condition: string, binding: readonly string[]) => {
    conditions.push(condition)
    bindings.push(binding)
  }
  if (except.length > 0) and('id <> all(?::bigint[])', except)
  if (exceptStreams.length > 0) and('stream <> all(?::text[])', exceptStreams)
  if (onlyStreams) and('stream = any(?::text[])', onlyStreams)
  const { rows } = await sql.raw(
    `select id, event_id, context, term, stream, type, version, headers, payload::text as payload, created_at
       from banyan.outbox where ${conditions.join(' and ')} order by id limit ?`,
    [...bindings, limit],
  )
  return rows
}

export async function markPublished(sql: Sql, ids: readonly string[]): Promise<void> {
  await sql.raw('update banyan.outbox set published_at = clock_timestamp() where id = any(?::bigint[])', [ids])
}

/** Counting stops here: an exact figure would cost a scan each second just when there is most to do. */
export const BACKLOG_CAP = 100_000

export async function measureBacklog(sql: Sql): Promise<{ backlog: number; oldestAgeMs: number }> {
  const { rows } = await sql.raw(
    `select (select count(*)::int from (
               select 1 from banyan.outbox where published_at is null limit ?) as counted) as backlog,
            coalesce(extract(epoch from clock_timestamp() - (
               select created_at from banyan.outbox where published_at is null order by id limit 1)) * 1000, 0
            )::float8 as age`,
    [BACKLOG_CAP],
  )
  return { backlog: rows[0].backlog, oldestAgeMs: Math.max(0, rows[0].age) }
}

/**
 * Deletes published rows older than `maxAgeMs`, at most `limit` of them; of the published rows it looks at the ten times
 * as many oldest alone, so that a purge with nothing to do stays cheap.
 * @returns how many were deleted
 */
export async function deletePublished(sql: Sql, maxAgeMs: number, limit: number): Promise<number> {
  const { rows } = await sql.raw(
    `with oldest as (select id, published_at from banyan.outbox where published_at is not null order by id limit ?),
          gone as (
            delete from banyan.outbox where id in (
              select id from oldest
               where published_at < clock_timestamp() - ? * interval '1 millisecond' order by id limit ?)
            returning 1)
     select count(*)::int as deleted from gone`,
    [limit * 10, maxAgeMs, limit],
  )
  return rows[0].deleted
}
