/** One row, the same text on both sides: what verification hashes and a report names columns by. */
import type { ColumnMove, TableMove } from './lane.ts'
import { ident, sourceValue, written } from './sql-text.ts'

/** The values of the source's row as the target should have them. */
export function sourceColumns(table: TableMove): string[] {
  return written(table).map((column) => comparable(column, sourceValue(column)))
}

export function targetColumns(table: TableMove): string[] {
  return written(table).map((column) => comparable(column, ident(column.target)))
}

/** NULL, the empty string and a comma inside a value stay apart: a record's text quotes them. */
export function rowHash(columns: readonly string[]): string {
  return `hashtextextended(row(${columns.join(', ')})::text, 0)`
}

/** A padded type beside an unpadded one prints its blanks only within a record; a boolean differs likewise. */
function comparable(column: ColumnMove, expression: string): string {
  return column.sourceType === column.targetType ? expression : `${expression}::text`
}
