/** Ranges of a table's key, in the key's own order, cut without a value of it ever leaving its text. */
import type { Db, TableMove, TableName } from './lane.ts'
import { keyColumn, targetKey } from './lane.ts'
import { ident, keyText, literal, qualified } from './sql-text.ts'

/** Keys after `after` (null: from the first) up to and with `upTo` (null: to the last). */
export interface KeyRange {
  readonly after: string | null
  readonly upTo: string | null
}

/** One side's view of a table: its name, its key and the key's types. */
export interface Keyed {
  readonly table: TableName
  readonly key: readonly string[]
  readonly types: readonly string[]
}

export function sourceKeyed(table: TableMove): Keyed {
  return { table: table.source, key: table.key, types: table.key.map((name) => keyColumn(table, name).sourceType) }
}

export function targetKeyed(table: TableMove): Keyed {
  const types = table.key.map((name) => keyColumn(table, name).targetType)
  return { table: table.target, key: targetKey(table), types }
}

/** The range as a condition; COPY takes no parameters, so its bounds are literals. */
export function inRange(keyed: Keyed, range: KeyRange): string {
  const columns = `(${keyed.key.map(ident).join(', ')})`
  const bounds: string[] = []
  if (range.after !== null) bounds.push(`${columns} > (${keyValues(keyed, range.after)})`)
  if (range.upTo !== null) bounds.push(`${columns} <= (${keyValues(keyed, range.upTo)})`)
  return bounds.length === 0 ? 'true' : bounds.join(' and ')
}

/** One row, or none, of the table. */
export function isKey(keyed: Keyed, key: string): string {
  return `(${keyed.key.map(ident).join(', ')}) = (${keyValues(keyed, key)})`
}

/** @returns the last key of the next `rows` keys in the range, or null if there are fewer */
export async function keyAfter(
  db: Pick<Db, 'query'>,
  keyed: Keyed,
  range: KeyRange,
  rows: number,
): Promise<string | null> {
  const { rows: found } = await db.query<{ key: string }>(
    `select ${keyText(keyed.key)} as key from ${qualified(keyed.table)} where ${inRange(keyed, range)}
      order by ${keyed.key.map(ident).join(', ')} offset ${rows - 1} limit 1`,
  )
  return found[0]?.key ?? null
}

/** @returns the table's greatest key, or null for an empty table */
export async function lastKey(db: Pick<Db, 'query'>, keyed: Keyed): Promise<string | null> {
  const { rows } = await db.query<{ key: string }>(
    `select ${keyText(keyed.key)} as key from ${qualified(keyed.table)}
      order by ${keyed.key.map((name) => `${ident(name)} desc`).join(', ')} limit 1`,
  )
  return rows[0]?.key ?? null
}

function keyValues(keyed: Keyed, key: string): string {
  const values = JSON.parse(key) as string[]
  return values.map((value, place) => `${literal(value)}::${keyed.types[place]}`).join(', ')
}
