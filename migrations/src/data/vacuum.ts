import type { Db, TableName } from './lane.ts'
import { tableId } from './lane.ts'
import { ask } from './open-db.ts'

/**
 * Which of the tables are being vacuumed or analysed at this moment: that holds the fence's lock off (rule 18).
 * Asked of pg_locks, which every role may read whole; pg_stat_progress_vacuum hides other roles' rows.
 */
export async function runningVacuums(db: Db, tables: readonly TableName[]): Promise<string[]> {
  const { rows } = await ask<TableName>(
    db,
    `select distinct n.nspname as schema, c.relname as name
      from pg_locks l join pg_class c on c.oid = l.relation join pg_namespace n on n.oid = c.relnamespace
        join unnest($1::text[], $2::text[]) t(schema, name) on t.schema = n.nspname and t.name = c.relname
      where l.locktype = 'relation' and l.granted and l.pid <> pg_backend_pid()
        and l.database = (select oid from pg_database where datname = current_database())
        and l.mode = 'ShareUpdateExclusiveLock'`,
    [tables.map((table) => table.schema), tables.map((table) => table.name)],
  )
  return rows.map(tableId)
}
