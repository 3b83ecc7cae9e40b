import type { Sql } from '../sql.ts'

/**
 * Creates the table that holds sagas, if it is not there: in the schema of the caller's own tables, because it moves
 * with them. Beside it stands `<table>_definitions`, what these sagas look like, which stays: each side has its own.
 *
 * @param table a plain identifier, or `schema.table`
 */
export const installSagas = async (sql: Sql, table = 'sagas'): Promise<void> => {
  await sql.raw(`
    create table if not exists ${table} (
      id text primary key,
      saga text not null,
      status text not null check (status in
        ('RUNNING', 'COMPENSATING', 'COMPLETED', 'COMPENSATED', 'NEEDS_ATTENTION')),
      data jsonb not null,
      steps jsonb not null,
      reason jsonb,
      cancel_requested jsonb,
      next_at timestamptz not null,
      deadline_at timestamptz not null,
      lease_owner text,
      lease_until timestamptz,
      history jsonb not null,
      created_at timestamptz not null default clock_timestamp(),
      updated_at timestamptz not null default clock_timestamp()
    )`)
  const index = `${table.split('.').at(-1)}_open`
  // "create index if not exists" locks the table even where the index is: it would wait for every saga under way, and
  // whoever takes a step after it would wait behind.
  await sql.raw(`
    do $$ begin
      if not exists (
        select from pg_index i join pg_class c on c.oid = i.indexrelid
        where i.indrelid = '${table}'::regclass and c.relname = '${index}'
      ) then
        create index ${index} on ${table} (next_at) where status in ('RUNNING', 'COMPENSATING');
      end if;
    end $$`)
  await sql.raw(`create table if not exists ${table}_definitions (saga text primary key, definition jsonb not null)`)
}
