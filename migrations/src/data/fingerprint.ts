/** What must not change between the verification of a table and its switch. */
import { createHash } from 'node:crypto'
import type { Db, TableName, Tx } from './lane.ts'
import { tableId } from './lane.ts'
import { ASK_MS, withConnection } from './open-db.ts'

export interface Fingerprint {
  readonly hash: string
  /** One line a column, type, constraint, index, trigger …: a diff of two of them names the drift. */
  readonly lines: readonly string[]
}

/**
 * Columns, types, enum labels, domains, defaults, constraints, indexes, the users' triggers and whether row level
 * security is on, of some tables. Its policies say what applications see, and may change.
 */
export async function fingerprint(db: Db, tables: readonly TableName[]): Promise<Fingerprint> {
  return withConnection(db, (connection) => fingerprintIn(connection, tables), ASK_MS)
}

/** The same on a connection of the caller's, whose search_path has to be the engine's. */
export async function fingerprintIn(tx: Tx, tables: readonly TableName[]): Promise<Fingerprint> {
  const { rows } = await tx.query<{ line: string }>(LINES, [
    tables.map((table) => table.schema),
    tables.map((table) => table.name),
  ])
  const lines = [...rows.map((row) => row.line), ...tables.map((table) => `table ${tableId(table)}`)].sort()
  return { hash: createHash('sha256').update(lines.join('\n')).digest('hex'), lines }
}

const LINES = `
  with tables as (
    select c.oid, n.nspname || '.' || c.relname as id, c.relrowsecurity as secured, c.relforcerowsecurity as forced
    from unnest($1::text[], $2::text[]) t(schema, name)
      join pg_namespace n on n.nspname = t.schema join pg_class c on c.relnamespace = n.oid and c.relname = t.name
  ), columns as (
    select t.id, a.*, pg_get_expr(d.adbin, d.adrelid) as default_text
    from tables t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  ), used_types as (
    select atttypid as oid from columns
    union select typelem from pg_type join columns on atttypid = pg_type.oid where typelem <> 0
    union select typbasetype from pg_type join columns on atttypid = pg_type.oid where typbasetype <> 0
  )
  select format('column %s.%s %s%s%s%s default %s', id, attname, format_type(atttypid, atttypmod),
      case when attnotnull then ' not null' else '' end, ' generated:' || attgenerated::text, ' identity:' || attidentity::text,
      coalesce(default_text, '-')) as line
  from columns
  union all
  select format('enum %s %s %s', format_type(e.enumtypid, null),
      row_number() over (partition by e.enumtypid order by e.enumsortorder), e.enumlabel)
  from pg_enum e where e.enumtypid in (select oid from used_types)
  union all
  select format('domain %s is %s %s %s', format_type(y.oid, null), format_type(y.typbasetype, y.typtypmod),
      case when y.typnotnull then 'not null' else '' end,
      (select string_agg(pg_get_constraintdef(k.oid), ' ' order by k.conname) from pg_constraint k
        where k.contypid = y.oid))
  from pg_type y where y.typtype = 'd' and y.oid in (select oid from used_types)
  union all
  select format('constraint %s %s %s', t.id, k.conname, pg_get_constraintdef(k.oid))
  from tables t join pg_constraint k on k.conrelid = t.oid where k.contype in ('c', 'p', 'u', 'x')
  union all
  select format('row security %s%s', id, case when forced then ' forced' else '' end) from tables where secured
  union all
  select format('index %s %s', t.id, pg_get_indexdef(i.indexrelid))
  from tables t join pg_index i on i.indrelid = t.oid
  union all
  select format('trigger %s %s %s', t.id, g.tgenabled, pg_get_triggerdef(g.oid))
  from tables t join pg_trigger g on g.tgrelid = t.oid where not g.tgisinternal and g.tgname not like '!%banyan_%'`
