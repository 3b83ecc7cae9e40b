/** What a chunk asks, and does, at the receiving side under the lock (rule 13). */

import { CHUNK_TABLE } from './copy-load.ts'
import { inRange, type KeyRange, targetKeyed } from './key-range.ts'
import type { Lane, TableMove, Tx } from './lane.ts'
import { tableId, targetKey } from './lane.ts'
import { ident, keyParts, keyText, literal, qualified } from './sql-text.ts'

const UNIQUE_VIOLATION = '23505'

/** Above this many tombstones, looking through them costs more than the general form of a chunk. */
const FEW_TOMBSTONES = 20_000

/** Types whose order depends on nothing but the value; of others, the two sides may disagree on what a range holds. */
const SAFE_ORDER =
  /^(smallint|integer|bigint|numeric|uuid|date|boolean|bytea|timestamp with(out)? time zone|interval|oid)$/

/** Whether the range has neither a row nor a tombstone; an applied row that was not deleted is a row. */
export async function rangeIsUntouched(tx: Tx, lane: Lane, table: TableMove, range: KeyRange): Promise<boolean> {
  const keyed = targetKeyed(table)
  const { rows } = await tx.query<{ touched: boolean }>(
    `select exists (select from ${qualified(table.target)} where ${inRange(keyed, range)}) as touched`,
  )
  if (rows[0]!.touched) return false
  const tombstones = `select key::jsonb as k from banyan.row_version
    where context = ${literal(lane.context)} and tbl = ${literal(tableId(table.target))} and move = ${lane.move} and deleted
    limit ${FEW_TOMBSTONES + 1}`
  const { rows: counted } = await tx.query<{ count: number }>(`select count(*)::int as count from (${tombstones}) t`)
  const count = counted[0]!.count
  if (count === 0) return true
  if (count > FEW_TOMBSTONES || !keyed.types.every((type) => SAFE_ORDER.test(type))) return false
  const { rows: inside } = await tx.query<{ touched: boolean }>(
    `select exists (
        select from (select ${keyParts('k', keyed.types)} from (${tombstones}) t) s(${keyed.key.map(ident).join(', ')})
        where ${inRange(keyed, range)}
      ) as touched`,
  )
  return !inside[0]!.touched
}

/** Inserts the chunk's rows that have neither a row nor a tombstone here; puts collisions on other keys aside. */
export async function insertAbsent(tx: Tx, lane: Lane, table: TableMove, columns: string): Promise<void> {
  await tx.query('savepoint chunk')
  try {
    await tx.query(
      `${insertInto(table, columns)} from ${CHUNK_TABLE} c where ${noTombstone(lane, table)} ${ON_CONFLICT(table)}`,
    )
  } catch (error) {
    if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error
    await tx.query('rollback to savepoint chunk')
    await tx.query(oneByOne(lane, table, columns))
  }
}

/** Never targetless: that would drop a row that collides elsewhere, silently. */
const ON_CONFLICT = (table: TableMove) => `on conflict (${targetKey(table).map(ident).join(', ')}) do nothing`

function insertInto(table: TableMove, columns: string): string {
  return `insert into ${qualified(table.target)} (${columns}) overriding system value select ${columns}`
}

function noTombstone(lane: Lane, table: TableMove): string {
  return `not exists (
    select from banyan.row_version v
    where v.context = ${literal(lane.context)} and v.tbl = ${literal(tableId(table.target))} and v.move = ${lane.move}
      and v.deleted and v.key = ${keyText(targetKey(table), 'c.')})`
}

function oneByOne(lane: Lane, table: TableMove, columns: string): string {
  return `do $chunk$
    declare
      at_row record;
    begin
      for at_row in select c.ctid as place, ${keyText(targetKey(table), 'c.')} as key from ${CHUNK_TABLE} c
        where ${noTombstone(lane, table)}
      loop
        begin
          ${insertInto(table, columns)} from ${CHUNK_TABLE} c where c.ctid = at_row.place ${ON_CONFLICT(table)};
        exception when unique_violation then
          insert into banyan.copy_aside (context, tbl, key)
          values (${literal(lane.context)}, ${literal(tableId(table.target))}, at_row.key) on conflict do nothing;
        end;
      end loop;
    end $chunk$`
}
