/** Design §5.2, rules 12 and 13: rows as they are, at version 0, where neither a row nor a tombstone stands. */
import { failPoint } from '@banyan/kit/service'
import { CHUNK_TABLE, columnNames, load, makeChunkTable } from './copy-load.ts'
import { advance, type CopyProgress, copyProgress, startCopy } from './copy-progress.ts'
import { insertAbsent, rangeIsUntouched } from './copy-sql.ts'
import { inRange, isKey, type KeyRange, keyAfter, sourceKeyed } from './key-range.ts'
import type { Lane, TableMove, Tx } from './lane.ts'
import { tableId } from './lane.ts'
import { lostLock } from './lock-retry.ts'
import { ask, Unanswered, withConnection } from './open-db.ts'
import { qualified } from './sql-text.ts'
import { type Held, PIECE, type TokenOptions, underToken, underTokenOn } from './token.ts'

export interface ChunkResult {
  /** Rows read from the source in this chunk. */
  readonly rows: number
  readonly done: boolean
  readonly seconds: number
  /** Rows of the table that still wait for a unique key to become free. */
  readonly aside: number
}

export interface ChunkOptions {
  /** How long a chunk should take; it sizes itself. 500 ms where absent. */
  readonly targetMs?: number
  /** Always through the temporary table, even into untouched ranges. */
  readonly straight?: boolean
  /** No chunk may take longer: it is cut, and the next try is a smaller one. 60 s where absent. */
  readonly limitMs?: number
}

const UNIQUE_VIOLATION = '23505'
const QUERY_CANCELED = '57014'
const ASIDE_KEYS = 500
/** What a chunk asks of the receiving side, beside its bounds. */
const RECEIVING: TokenOptions = { receiving: true, apply: 'share', applying: true }

/**
 * Copies the table's next chunk. Progress commits with it, so a SIGKILL costs this chunk at most.
 * @throws TokenOverruled, SideOpen
 */
export async function copyNextChunk(lane: Lane, table: TableMove, options: ChunkOptions = {}): Promise<ChunkResult> {
  const begun = performance.now()
  const progress = await progressOf(lane, table)
  if (progress.done) return { rows: 0, done: true, seconds: 0, aside: 0 }
  const rows =
    progress.position === progress.border
      ? await retryAside(lane, table, progress, boundsOf(options))
      : await copyRange(lane, table, progress, options)
  await failPoint('copy.after-commit')
  const after = await progressOf(lane, table)
  if (after.done) await analyze(lane, table)
  return { rows, done: after.done, seconds: (performance.now() - begun) / 1000, aside: after.aside }
}

async function progressOf(lane: Lane, table: TableMove): Promise<CopyProgress> {
  const find = async () => (await copyProgress(lane)).find((one) => one.tbl === tableId(table.target))
  const known = await find()
  if (known) return known
  await startCopy(lane)
  const started = await find()
  if (!started) throw new Error(`${lane.context}: ${tableId(table.target)} is not a table of this lane`)
  return started
}

const boundsOf = ({ limitMs = PIECE.limitMs }: ChunkOptions): TokenOptions => ({ ...PIECE, limitMs })

/** The new owner's first queries should not be planned for an empty table. A vacuum that has it does the same. */
async function analyze(lane: Lane, table: TableMove): Promise<void> {
  const work = ({ tx }: Held) => tx.query(`analyze ${qualified(table.target)}`)
  await underToken(lane.to, lane, 'share', work, PIECE).catch((error) => {
    if (!lostLock(error)) throw error
  })
}

async function copyRange(lane: Lane, table: TableMove, progress: CopyProgress, options: ChunkOptions): Promise<number> {
  try {
    return await copyNextRange(lane, table, progress, options)
  } catch (error) {
    if (!tookTooLong(error) || progress.chunkRows === 1) throw error
    const smaller = { position: progress.position, rows: 0, chunkRows: Math.ceil(progress.chunkRows / 4) }
    await underToken(lane.to, lane, 'share', ({ tx }) => advance(tx, lane, table, smaller), PIECE)
    return 0
  }
}

function tookTooLong(error: unknown): boolean {
  return error instanceof Unanswered || (error as { code?: string }).code === QUERY_CANCELED
}

async function copyNextRange(
  lane: Lane,
  table: TableMove,
  progress: CopyProgress,
  options: ChunkOptions,
): Promise<number> {
  const begun = performance.now()
  const bounds = boundsOf(options)
  const open = { after: progress.position, upTo: progress.border }
  const findEnd = ({ tx }: Held) => keyAfter(tx, sourceKeyed(table), open, progress.chunkRows)
  const upTo = (await underToken(lane.from, lane, 'share', findEnd, bounds)) ?? progress.border
  const range = { after: progress.position, upTo }
  const finish = async (tx: Tx, rows: number) => {
    const chunkRows = nextSize(progress.chunkRows, performance.now() - begun, options.targetMs ?? 500)
    await advance(tx, lane, table, { position: upTo, rows, chunkRows })
    await failPoint('copy.before-commit')
  }
  const straight = options.straight === false ? null : await copyStraight(lane, table, range, bounds, finish)
  return straight ?? copyThroughChunkTable(lane, table, inRange(sourceKeyed(table), range), bounds, finish)
}

/**
 * The fast form: locked to the commit, and read at the source only after the lock, straight into a range that has
 * neither rows nor tombstones.
 * @returns null if the range has been touched; nothing is changed then
 */
async function copyStraight(
  lane: Lane,
  table: TableMove,
  range: KeyRange,
  bounds: TokenOptions,
  finish: (tx: Tx, rows: number) => Promise<void>,
): Promise<number | null> {
  try {
    return await underToken(
      lane.to,
      lane,
      'share',
      async ({ tx }) => {
        if (!(await rangeIsUntouched(tx, lane, table, range))) return null
        const condition = inRange(sourceKeyed(table), range)
        const rows = await load(lane, table, tx, qualified(table.target), condition, bounds)
        await finish(tx, rows)
        return rows
      },
      { ...bounds, ...RECEIVING },
    )
  } catch (error) {
    // Another unique key, or a key that the two sides order differently: row by row, then.
    if ((error as { code?: string }).code === UNIQUE_VIOLATION) return null
    throw error
  }
}

/**
 * The general form: loaded without a lock, inserted under it where nothing stands. What the applier has done between
 * the two is seen; only a tombstone that was purged between them would not be, hence the border.
 */
async function copyThroughChunkTable(
  lane: Lane,
  table: TableMove,
  condition: string,
  bounds: TokenOptions,
  finish: (tx: Tx, rows: number) => Promise<void>,
  prepare?: (tx: Tx) => Promise<unknown>,
): Promise<number> {
  const work = async (connection: Tx) => {
    for (;;) {
      const border = await readBorder(connection, lane)
      await underTokenOn(connection, lane, 'share', ({ tx }) => makeChunkTable(table, tx), bounds)
      const loading = ({ tx }: Held) => load(lane, table, tx, CHUNK_TABLE, condition, bounds)
      const rows = await underTokenOn(connection, lane, 'share', loading, bounds)
      await failPoint('copy.loaded')
      const settled = await underTokenOn(
        connection,
        lane,
        'share',
        async ({ tx }) => {
          if ((await readBorder(tx, lane)) !== border) return false
          await prepare?.(tx)
          await insertAbsent(tx, lane, table, columnNames(table))
          await tx.query(`drop table ${CHUNK_TABLE}`)
          await finish(tx, rows)
          return true
        },
        { ...bounds, ...RECEIVING },
      )
      if (settled) return rows
    }
  }
  return withConnection(lane.to, work, bounds.limitMs)
}

/** Rows that collided are read anew: by now the applier has moved on, or they are no longer there. */
async function retryAside(lane: Lane, table: TableMove, progress: CopyProgress, bounds: TokenOptions): Promise<number> {
  const { rows } = await ask<{ key: string }>(
    lane.to,
    `select key from banyan.copy_aside where context = $1 and tbl = $2 limit ${ASIDE_KEYS}`,
    [lane.context, tableId(table.target)],
  )
  const keys = rows.map((row) => row.key)
  if (keys.length === 0) return 0
  const condition = keys.map((key) => isKey(sourceKeyed(table), key)).join(' or ')
  const takeBack = (tx: Tx) =>
    tx.query('delete from banyan.copy_aside where context = $1 and tbl = $2 and key = any ($3)', [
      lane.context,
      tableId(table.target),
      keys,
    ])
  const finish = (tx: Tx) =>
    advance(tx, lane, table, { position: progress.position, rows: 0, chunkRows: progress.chunkRows })
  await copyThroughChunkTable(lane, table, condition, bounds, finish, takeBack)
  return 0
}

async function readBorder(tx: Tx, lane: Lane): Promise<string | null> {
  const { rows } = await tx.query<{ id: string }>('select id from banyan.border where context = $1', [lane.context])
  return rows[0]?.id ?? null
}

/** At most doubled or halved, so that one slow or lucky chunk does not decide the next. */
function nextSize(rows: number, tookMs: number, targetMs: number): number {
  const factor = Math.min(2, Math.max(0.5, targetMs / Math.max(1, tookMs)))
  return Math.round(Math.min(500_000, Math.max(100, rows * factor)))
}
