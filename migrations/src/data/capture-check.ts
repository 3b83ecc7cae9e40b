/** Whether capture is still what it was made to be: asked by the interlocks, and again inside the fence (rule 18). */
import type { Lane, TableMove, Tx } from './lane.ts'
import { tableId } from './lane.ts'
import { ASK_MS, withConnection } from './open-db.ts'
import { literal, qualified } from './sql-text.ts'
import { triggerFaults } from './trigger-check.ts'
import { CAPTURE, FENCE, TRUNCATE } from './trigger-names.ts'

/**
 * Looks whether capture at the lane's `from` is what `installCapture` makes.
 * @param tx a transaction of the caller's (the fence checks inside its own); a connection of the pool where absent
 * @returns one sentence a fault; empty is good
 */
export async function checkCapture(lane: Lane, tx?: Tx): Promise<string[]> {
  if (!tx) return withConnection(lane.from, (connection) => checkCapture(lane, connection), ASK_MS)
  const faults: string[] = []
  for (const table of lane.tables) {
    faults.push(...(await captureFaults(tx, lane, table)))
    faults.push(...(await keyFaults(tx, table)))
  }
  const { rows } = await tx.query<{ cache: string }>(
    `select seqcache as cache from pg_sequence
      where seqrelid = pg_get_serial_sequence('banyan.changes', 'id')::regclass`,
  )
  if (rows[0]?.cache !== '1') faults.push('banyan.changes: the sequence of "id" has a cache, so ids do not grow by row')
  return faults
}

/** One that reads rows again is right where it need not any more: a switch drops the keys that made it do so. */
async function captureFaults(tx: Tx, lane: Lane, table: TableMove): Promise<string[]> {
  const needed = await mustReread(tx, table)
  const faults = await triggerFaults(tx, lane, table, needed)
  if (needed || faults.length === 0) return faults
  return (await triggerFaults(tx, lane, table, true)).length === 0 ? [] : faults
}

/**
 * Whether a captured row has to be read again rather than taken from NEW (rule 2): wherever a trigger or an acting
 * foreign key could rewrite a row between its change and its capture. Any trigger in the database counts: one
 * statement (a WITH) may change two tables, and what a BEFORE trigger of row 2 does to row 1 is captured before row
 * 1's own, older event. A volatile function that a statement calls and that writes the same rows cannot be seen here.
 */
export async function mustReread(tx: Tx, table: TableMove): Promise<boolean> {
  const { rows } = await tx.query<{ reread: boolean }>(
    `select exists (
        select from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
        where not t.tgisinternal and n.nspname <> 'banyan' and t.tgname <> all ($2) and t.tgtype & 64 = 0
      ) or exists (
        select from pg_constraint where contype = 'f' and $1::regclass in (conrelid, confrelid)
          and (confdeltype in ('c', 'n', 'd') or confupdtype in ('c', 'n', 'd'))
      ) as reread`,
    [qualified(table.source), [CAPTURE, FENCE, TRUNCATE]],
  )
  return rows[0]!.reread
}

async function keyFaults(tx: Tx, table: TableMove): Promise<string[]> {
  const { rows } = await tx.query<{ name: string; deferrable: boolean }>(
    `select a.attname as name, not i.indimmediate as deferrable
      from pg_index i cross join unnest(i.indkey::int2[]) with ordinality k(attnum, place)
        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
      where i.indrelid = ${literal(qualified(table.source))}::regclass and i.indisprimary and k.place <= i.indnkeyatts
      order by k.place`,
  )
  const id = tableId(table.source)
  if (rows.some((row) => row.deferrable)) return [`${id}: the primary key is deferrable, so ids may not follow commits`]
  const names = rows.map((row) => row.name)
  if (names.length !== table.key.length || names.some((name, place) => name !== table.key[place])) {
    return [`${id}: the primary key is (${names.join(', ')}), the plan knows (${table.key.join(', ')})`]
  }
  return []
}
