import type { Db } from './lane.ts'
import { ask } from './open-db.ts'

/**
 * How many sessions of the whole server are at work: they run a statement, or have written and not yet committed. The
 * mover's own, and the server's background processes, do not count. Asked by what pg_stat_activity shows to every role
 * (`state` it hides from one that is no member of the session's), so the mover needs no right to read others' queries.
 */
export async function sessionsAtWork(db: Db): Promise<number> {
  const { rows } = await ask<{ count: number }>(
    db,
    `select count(*)::int as count from pg_stat_activity
      where (backend_xmin is not null or backend_xid is not null) and usesysid is not null and pid <> pg_backend_pid()
        and not (usesysid = (select oid from pg_roles where rolname = session_user)
          and application_name = current_setting('application_name'))`,
    [],
  )
  return rows[0]?.count ?? 0
}
