/** Pieces of SQL text. Names and values of a plan reach a statement through these two quotings only. */
import type { ColumnMove, TableMove, TableName } from './lane.ts'

export function ident(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`
  return text.includes('\\') ? ` e${quoted.replaceAll('\\', '\\\\')}` : quoted
}

export function qualified(table: TableName): string {
  return `${ident(table.schema)}.${ident(table.name)}`
}

/** The value that a column's target gets, as SQL over the source's row. */
export function sourceValue(column: ColumnMove): string {
  return column.forward === undefined ? ident(column.source) : `(${column.forward})`
}

/** The columns that are written at the target: what it generates itself is skipped (rule 10). */
export function written(table: TableMove): ColumnMove[] {
  return table.columns.filter((column) => !column.targetGenerated)
}

/** A row's key as text, e.g. `jsonb_build_array("id"::text)::text`: the same on both sides under the fixed settings. */
export function keyText(columns: readonly string[], prefix = ''): string {
  return `jsonb_build_array(${columns.map((name) => `${prefix}${ident(name)}::text`).join(', ')})::text`
}

/** The columns of a key's text, typed: `(k ->> 0)::pg_catalog.int8, …`. */
export function keyParts(json: string, types: readonly string[]): string {
  return types.map((type, index) => `(${json} ->> ${index})::${type}`).join(', ')
}
