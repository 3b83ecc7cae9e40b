/** How far the copy has come: one row a table at the receiving side, moved in the transaction of its chunk. */
import { keyAfter, lastKey, sourceKeyed } from './key-range.ts'
import type { Db, Lane, TableMove, Tx } from './lane.ts'
import { tableId } from './lane.ts'
import { ask } from './open-db.ts'
import { literal, qualified } from './sql-text.ts'
import { type Held, PIECE, underToken } from './token.ts'

export interface CopyProgress {
  /** `schema.name` at the target. */
  readonly tbl: string
  /** The last key to copy, fixed at the start: later rows come as changes. Null for a table that was empty. */
  readonly border: string | null
  readonly position: string | null
  readonly rowsCopied: number
  readonly totalEstimate: number
  readonly chunkRows: number
  /** Rows that wait because they collided with another unique key. */
  readonly aside: number
  readonly done: boolean
  readonly startedAt: Date
  readonly changedAt: Date
}

/** A whole context's copy, for people. */
export type CopySum = {
  readonly done: number
  readonly total: number
  readonly perSecond: number
  readonly etaSeconds: number | null
  /** Rows that wait because they collided with another unique key. */
  readonly aside: number
  readonly finished: boolean
}

const FIRST_CHUNK_ROWS = 5000

/** @returns null before the copy has begun */
export function sumOfCopy(tables: readonly CopyProgress[]): CopySum | null {
  if (tables.length === 0) return null
  const sum = (pick: (table: CopyProgress) => number) => tables.reduce((all, one) => all + pick(one), 0)
  const done = sum((table) => table.rowsCopied)
  const finished = tables.every((table) => table.done)
  const began = Math.min(...tables.map((table) => table.startedAt.getTime()))
  const seconds = (Math.max(...tables.map((table) => table.changedAt.getTime())) - began) / 1000
  const total = finished
    ? done
    : Math.max(
        done,
        sum((table) => table.totalEstimate),
      )
  const perSecond = seconds > 0 ? Math.round(done / seconds) : 0
  const etaSeconds = finished ? 0 : perSecond > 0 ? Math.ceil((total - done) / perSecond) : null
  return { done, total, perSecond, etaSeconds, aside: sum((table) => table.aside), finished }
}

/** Fixes every table's border, once; capture has to be installed before. Run again, it changes nothing. */
export async function startCopy(lane: Lane): Promise<void> {
  const known = new Set((await copyProgress(lane)).map((one) => one.tbl))
  for (const table of lane.tables) {
    if (known.has(tableId(table.target))) continue
    const read = async ({ tx }: Held) => ({
      border: await lastKey(tx, sourceKeyed(table)),
      total: await estimateRows(tx, table),
    })
    const { border, total } = await underToken(lane.from, lane, 'share', read, PIECE)
    const begin = ({ tx }: Held) =>
      tx.query(
        `insert into banyan.copy_progress (context, tbl, move, border, total_estimate, chunk_rows, done)
          values ($1, $2, $3, $4::text, $5, $6, $4::text is null)
          on conflict do nothing`,
        [lane.context, tableId(table.target), lane.move, border, total, FIRST_CHUNK_ROWS],
      )
    await underToken(lane.to, lane, 'share', begin, PIECE)
  }
}

/** @returns one entry a table whose copy has begun in this move */
export async function copyProgress(lane: Pick<Lane, 'context' | 'move'> & { to: Db }): Promise<CopyProgress[]> {
  const { rows } = await ask<CopyProgress>(
    lane.to,
    `select p.tbl, p.border, p.position, p.rows_copied::float8 as "rowsCopied",
        greatest(p.total_estimate, p.rows_copied)::float8 as "totalEstimate", p.chunk_rows as "chunkRows", p.done,
        p.started_at as "startedAt", p.changed_at as "changedAt",
        (select count(*) from banyan.copy_aside a where a.context = p.context and a.tbl = p.tbl)::int as aside
      from banyan.copy_progress p where p.context = $1 and p.move = $2 order by p.tbl`,
    [lane.context, lane.move],
  )
  return rows
}

/** Moves a table's progress, in the transaction that holds the chunk. */
export async function advance(
  tx: Tx,
  lane: Lane,
  table: TableMove,
  step: { position: string | null; rows: number; chunkRows: number },
): Promise<void> {
  await tx.query(
    `update banyan.copy_progress p
      set position = $3::text, rows_copied = rows_copied + $4, chunk_rows = $5, changed_at = clock_timestamp(),
        done = $3::text is not distinct from border
          and not exists (select from banyan.copy_aside a where a.context = p.context and a.tbl = p.tbl)
      where context = $1 and tbl = $2`,
    [lane.context, tableId(table.target), step.position, step.rows, step.chunkRows],
  )
}

async function estimateRows(db: Tx, table: TableMove): Promise<number> {
  const { rows } = await db.query<{ estimate: string }>(
    `select reltuples::bigint as estimate from pg_class where oid = ${literal(qualified(table.source))}::regclass`,
  )
  const estimate = Number(rows[0]?.estimate ?? -1)
  if (estimate >= 100_000) return estimate
  // A small or never analysed table is counted: it costs little, and "0 of -1 rows" helps nobody.
  if ((await keyAfter(db, sourceKeyed(table), { after: null, upTo: null }, 1_000_000)) !== null) return 1_000_000
  const counted = await db.query<{ count: string }>(`select count(*) as count from ${qualified(table.source)}`)
  return Number(counted.rows[0]!.count)
}
