/** `COPY … TO STDOUT` piped into `COPY … FROM STDIN`: no value of a row ever becomes one of JavaScript's. */
import { pipeline } from 'node:stream/promises'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import type { ColumnMove, Lane, TableMove, Tx } from './lane.ts'
import { ident, qualified, sourceValue, written } from './sql-text.ts'
import { type Held, type TokenOptions, underToken } from './token.ts'

/** Where a chunk is loaded before it is looked at under the lock. */
export const CHUNK_TABLE = 'pg_temp.banyan_chunk'

/**
 * @param into a relation with the target's column names
 * @param condition SQL over the source's columns
 * @param bounds of the transaction at the source
 * @returns rows loaded
 */
export async function load(
  lane: Lane,
  table: TableMove,
  tx: Tx,
  into: string,
  condition: string,
  bounds: TokenOptions,
): Promise<number> {
  const read = async ({ tx: source }: Held) => {
    const values = written(table).map(copied).join(', ')
    const rows = source.query(
      copyTo(`copy (select ${values} from ${qualified(table.source)} where ${condition}) to stdout`, {
        highWaterMark: 256 * 1024,
      }),
    )
    const sink = tx.query(copyFrom(`copy ${into} (${columnNames(table)}) from stdin`, { highWaterMark: 256 * 1024 }))
    await pipeline(rows, sink)
    return sink.rowCount
  }
  return underToken(lane.from, lane, 'share', read, bounds)
}

/** Makes the chunk's table, with the target's types but none of its constraints. */
export async function makeChunkTable(table: TableMove, tx: Tx): Promise<void> {
  await tx.query(`drop table if exists ${CHUNK_TABLE};
    create temp table banyan_chunk as select ${columnNames(table)} from ${qualified(table.target)} with no data`)
}

/** In the form in which a change brings it: COPY writes a boolean, or a padded text, in another one. */
function copied(column: ColumnMove): string {
  const same = column.forward === undefined && column.sourceType === column.targetType
  return same ? sourceValue(column) : `${sourceValue(column)}::text`
}

export function columnNames(table: TableMove): string {
  return written(table)
    .map((column) => ident(column.target))
    .join(', ')
}
