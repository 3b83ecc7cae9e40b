/** Rule 15: a differing row is written again from the source, unless something newer has come meanwhile. */
import { failPoint } from '@banyan/kit/service'
import { applySql } from './apply-sql.ts'
import { rowJson } from './capture-function.ts'
import { isKey, sourceKeyed } from './key-range.ts'
import type { Lane, TableMove, Tx } from './lane.ts'
import { tableId } from './lane.ts'
import { qualified } from './sql-text.ts'
import { type Held, PIECE, underToken } from './token.ts'

const ATTEMPTS = 5

/**
 * Brings one row of the target in line with the source's: a compare-and-set on the row's version as it was *before*
 * the source was read. A row that is gone at the source leaves a tombstone of version 0.
 * @param key the row's key as verification reports it
 * @returns false if newer changes kept coming; they carry the whole row, so the row is looked at again rather
 * @throws TokenOverruled, SideOpen
 */
export async function repairRow(lane: Lane, table: TableMove, key: string): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = await underToken(lane.to, lane, 'share', ({ tx }) => readVersion(tx, lane, table, key), PIECE)
    const row = await readSource(lane, table, key)
    await failPoint('repair.after-read')
    const written = await underToken(
      lane.to,
      lane,
      'share',
      async ({ tx }) => {
        if ((await readVersion(tx, lane, table, key)) !== before) return false
        await write(tx, lane, table, key, row)
        return true
      },
      { ...PIECE, receiving: true, apply: 'exclusive', applying: true },
    )
    if (written) return true
  }
  return false
}

/**
 * The row's version, and the border: without it a row that was deleted after the source was read, and whose tombstone
 * has been purged since, would look as if nothing had ever come for it (rule 14).
 */
async function readVersion(tx: Tx, lane: Lane, table: TableMove, key: string): Promise<string> {
  const { rows } = await tx.query<{ version: string }>(
    `select concat_ws(' ',
        coalesce((select move || '.' || id from banyan.row_version where context = $1 and tbl = $2 and key = $3), '0.0'),
        (select move || '.' || id from banyan.border where context = $1)) as version`,
    [lane.context, tableId(table.target), key],
  )
  return rows[0]!.version
}

async function readSource(lane: Lane, table: TableMove, key: string): Promise<string | null> {
  const read = async ({ tx }: Held) => {
    const { rows } = await tx.query<{ row: string }>(
      `select (${rowJson(table, '')})::text as row from ${qualified(table.source)}
        where ${isKey(sourceKeyed(table), key)}`,
    )
    return rows[0]?.row ?? null
  }
  return underToken(lane.from, lane, 'share', read, PIECE)
}

async function write(tx: Tx, lane: Lane, table: TableMove, key: string, row: string | null): Promise<void> {
  const sql = applySql(table)
  await tx.query(
    `insert into banyan.row_version as v (context, tbl, key, move, id, deleted) values ($1, $2, $3, $4, 0, $5)
      on conflict (context, tbl, key) do update set deleted = excluded.deleted`,
    [lane.context, sql.tbl, key, lane.move, row === null],
  )
  if (row === null) {
    await tx.query(sql.remove, [[key]])
    return
  }
  if (sql.makeWay) await tx.query(sql.makeWay, [[row]])
  await tx.query(sql.upsert, [[row]])
}
