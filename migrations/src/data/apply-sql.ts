/** The statements that write changes to one table at the receiving side (rule 10), made once per table move. */
import type { ColumnMove, TableMove } from './lane.ts'
import { keyColumn, tableId, targetKey } from './lane.ts'
import { ident, keyParts, literal, qualified, written } from './sql-text.ts'

export interface ApplySql {
  /** `schema.name` at the target: how `banyan.row_version` spells the table. */
  readonly tbl: string
  /** $1: keys. */
  readonly remove: string
  /** $1: rows as JSON. Takes away rows whose GENERATED ALWAYS column is to change, which no UPDATE may; or null. */
  readonly makeWay: string | null
  /** $1: rows as JSON. */
  readonly upsert: string
}

/**
 * The version's upsert, the first of the two statements: answers the keys whose change is newer than what is there.
 * $1 context, $2 table, $3 move, then keys, ids, deleted.
 */
export const RAISE_VERSIONS = `
  insert into banyan.row_version as v (context, tbl, key, move, id, deleted)
  select $1, $2, c.key, $3, c.id, c.deleted
  from unnest($4::text[], $5::bigint[], $6::boolean[]) c(key, id, deleted)
  on conflict (context, tbl, key) do update set move = excluded.move, id = excluded.id, deleted = excluded.deleted
    where (v.move, v.id) < (excluded.move, excluded.id)
  returning key`

const made = new WeakMap<TableMove, ApplySql>()

export function applySql(table: TableMove): ApplySql {
  const known = made.get(table)
  if (known) return known
  const sql = {
    tbl: tableId(table.target),
    remove: removeSql(table),
    makeWay: makeWaySql(table),
    upsert: upsertSql(table),
  }
  made.set(table, sql)
  return sql
}

function removeSql(table: TableMove): string {
  const types = table.key.map((name) => keyColumn(table, name).targetType)
  const key = targetKey(table)
  return `delete from ${qualified(table.target)} as t
    using (select ${keyParts('u.key::jsonb', types)} from unnest($1::text[]) u(key)) as k(${parts(key)})
    where ${key.map((name, place) => `t.${ident(name)} = k.k${place}`).join(' and ')}`
}

function makeWaySql(table: TableMove): string | null {
  const always = fixed(table)
  if (always.length === 0) return null
  const keys = table.key.map((name) => keyColumn(table, name))
  const same = keys.map((column) => `t.${ident(column.target)} = ${value(column)}`).join(' and ')
  const other = always.map((column) => `t.${ident(column.target)} is distinct from ${value(column)}`).join(' or ')
  return `delete from ${qualified(table.target)} as t using ${rows()} where ${same} and (${other})`
}

function upsertSql(table: TableMove): string {
  const columns = written(table)
  const key = targetKey(table)
  const always = new Set(fixed(table).map((column) => column.target))
  const names = columns.map((column) => ident(column.target))
  const set = columns
    .filter((column) => !key.includes(column.target) && !always.has(column.target))
    .map((column) => `${ident(column.target)} = excluded.${ident(column.target)}`)
  return `insert into ${qualified(table.target)} (${names.join(', ')}) overriding system value
    select ${columns.map(value).join(', ')} from ${rows()}
    on conflict (${key.map(ident).join(', ')}) do ${set.length === 0 ? 'nothing' : `update set ${set.join(', ')}`}`
}

/** GENERATED ALWAYS AS IDENTITY columns outside the key. */
function fixed(table: TableMove): ColumnMove[] {
  return table.columns.filter((column) => column.targetIdentityAlways && !table.key.includes(column.source))
}

function rows(): string {
  return '(select u.row::jsonb as row from unnest($1::text[]) u(row) offset 0) as r'
}

/** Text to value, by a cast without length or scale: what does not fit fails at the assignment, it is never cut. */
function value(column: ColumnMove): string {
  return `(r.row ->> ${literal(column.target)})::${column.targetType}`
}

function parts(key: readonly string[]): string {
  return key.map((_, place) => `k${place}`).join(', ')
}
