/** Rules 5, 10, 11, 12 and 14's border: what the receiving side does with changes. */
import { failPoint, messageWithoutValues } from '@banyan/kit/service'
import { applySql, RAISE_VERSIONS } from './apply-sql.ts'
import { canaryMove, isBeat } from './canary.ts'
import type { Change, Lane, TableMove, Tx } from './lane.ts'
import { tableId } from './lane.ts'
import { BRIEF, type Held, SideOpen, underToken } from './token.ts'

/** A change that cannot be applied; the lane stands before it until it can. Values of the row are not in the text. */
export interface BlockedChange {
  readonly id: string
  readonly tbl: string
  readonly key: string
  readonly reason: string
}

export interface Applied {
  /** How many of the changes, counted from the first, are settled: applied, older than what is there, or discarded. */
  readonly done: number
  /** The one after them, if it could not be applied. */
  readonly blocked: BlockedChange | null
}

const CANARY = canaryMove()

/** Errors of the connection, the server or the transaction, not of a row: the batch comes again as it is. */
const NOT_THE_ROW = ['08', '25', '40', '53', '55', '57', '58', 'XX']

/**
 * Applies changes in one transaction at the lane's `to`. Every one goes in only if its version `(move, id)` is
 * greater than its row's, so duplicates and late ones do no harm.
 * @param changes in the order of the queue
 * @returns how far it came; what precedes a blocked change is committed
 * @throws TokenOverruled; SideOpen when a change that is not there yet comes to a side that accepts writes
 */
export async function applyBatch(lane: Lane, changes: readonly Change[]): Promise<Applied> {
  const future = changes.find((change) => BigInt(change.move) > lane.move)
  if (future)
    throw new Error(`${lane.context}: change ${future.id} is of move ${future.move}, this lane of ${lane.move}`)
  const current = changes.filter((change) => BigInt(change.move) === lane.move)
  if (current.length === 0) return { done: changes.length, blocked: null }
  const complete = await readLarge(lane, current)
  const blocked = await underToken(
    lane.to,
    lane,
    'share',
    async (held) => {
      const result = await applyHeld(lane, held, complete)
      await failPoint('apply.before-commit')
      return result
    },
    { ...BRIEF, apply: 'exclusive', applying: true },
  )
  await failPoint('apply.after-commit')
  if (!blocked) return { done: changes.length, blocked: null }
  return { done: changes.findIndex((change) => change.id === blocked.id), blocked }
}

async function applyHeld(lane: Lane, held: Held, changes: readonly Change[]): Promise<BlockedChange | null> {
  const border = await readBorder(held.tx, lane)
  const live = changes.filter((change) => BigInt(change.id) > border)
  if (!held.closed) return applyOpen(lane, held.tx, live)
  await held.tx.query('savepoint batch')
  try {
    await applyTogether(lane, held.tx, live)
    return null
  } catch (error) {
    if (!aboutRow(error)) throw error
    await held.tx.query('rollback to savepoint batch')
  }
  // Together, rows that hand a unique value to each other may collide; in their order they do not.
  return applyOneByOne(lane, held.tx, live)
}

/**
 * On a side that accepts writes, only our own canary may still be written. Changes that come again after a switch are
 * already there and pass; one that is not there is a fault of the protocol and must not be written.
 */
async function applyOpen(lane: Lane, tx: Tx, changes: readonly Change[]): Promise<BlockedChange | null> {
  const rows = changes.filter((change) => change.op !== 'm' && !isBeat(change))
  const { rows: missing } = await tx.query<{ id: string }>(
    `select c.id from unnest($2::text[], $3::text[], $4::bigint[]) c(tbl, key, id)
      left join banyan.row_version v on v.context = $1 and v.tbl = c.tbl and v.key = c.key
      where v.key is null or (v.move, v.id) < ($5::bigint, c.id) limit 1`,
    [
      lane.context,
      rows.map((change) => tableId(tableOf(lane, change).target)),
      rows.map((change) => change.key),
      rows.map((change) => change.id),
      lane.move,
    ],
  )
  if (missing[0]) throw new SideOpen(`${lane.context}: change ${missing[0].id} came to a side that accepts writes`)
  await applyTogether(
    lane,
    tx,
    changes.filter((change) => change.op === 'm' || isBeat(change)),
  )
  return null
}

async function applyTogether(lane: Lane, tx: Tx, changes: readonly Change[]): Promise<void> {
  const byTable = new Map<TableMove, Map<string, Change>>()
  for (const change of changes) {
    if (change.op === 'm') continue
    const table = tableOf(lane, change)
    const last = byTable.get(table) ?? new Map<string, Change>()
    byTable.set(table, last)
    const earlier = last.get(change.key)
    if (!earlier || BigInt(earlier.id) < BigInt(change.id)) last.set(change.key, change)
  }
  for (const [table, last] of byTable) await applyToTable(lane, tx, table, [...last.values()])
  await noteMarkers(lane, tx, changes)
}

async function applyOneByOne(lane: Lane, tx: Tx, changes: readonly Change[]): Promise<BlockedChange | null> {
  for (const change of changes) {
    await tx.query('savepoint one')
    try {
      await applyTogether(lane, tx, [change])
    } catch (error) {
      if (!aboutRow(error)) throw error
      await tx.query('rollback to savepoint one')
      return { id: change.id, tbl: change.tbl, key: change.key, reason: reasonOf(error) }
    }
    await tx.query('release savepoint one')
  }
  return null
}

/** Version first, data second, two statements: in one, a delete would leave a chunk's row behind. */
async function applyToTable(lane: Lane, tx: Tx, table: TableMove, changes: readonly Change[]): Promise<void> {
  const sql = applySql(table)
  const { rows } = await tx.query<{ key: string }>(RAISE_VERSIONS, [
    lane.context,
    sql.tbl,
    lane.move,
    changes.map((change) => change.key),
    changes.map((change) => change.id),
    changes.map((change) => change.op === 'd'),
  ])
  const newer = new Set(rows.map((row) => row.key))
  const wanted = changes.filter((change) => newer.has(change.key))
  const gone = wanted.filter((change) => change.op === 'd').map((change) => change.key)
  const present = wanted.filter((change) => change.op === 'u').map((change) => change.row)
  if (gone.length > 0) await tx.query(sql.remove, [gone])
  if (present.length === 0) return
  if (sql.makeWay) await tx.query(sql.makeWay, [present])
  await tx.query(sql.upsert, [present])
}

async function noteMarkers(lane: Lane, tx: Tx, changes: readonly Change[]): Promise<void> {
  const markers = changes.filter((change) => change.op === 'm')
  if (markers.length === 0) return
  await tx.query(
    `insert into banyan.markers (context, move, id, token)
      select $1, $2, m.id, m.token from unnest($3::bigint[], $4::bigint[]) m(id, token) on conflict do nothing`,
    [lane.context, lane.move, markers.map((marker) => marker.id), markers.map((marker) => marker.token)],
  )
}

async function readBorder(tx: Tx, lane: Lane): Promise<bigint> {
  const { rows } = await tx.query<{ id: string }>('select id from banyan.border where context = $1 and move = $2', [
    lane.context,
    lane.move,
  ])
  return BigInt(rows[0]?.id ?? 0)
}

/** A change over 4 MiB travelled as its id. One that is gone at the source has been proven to be here already. */
async function readLarge(lane: Lane, changes: readonly Change[]): Promise<Change[]> {
  const large = changes.filter((change) => change.large)
  if (large.length === 0) return [...changes]
  const read = ({ tx }: Held) =>
    tx.query<{ id: string; row: string }>(
      'select id, row::text as row from banyan.changes where id = any ($1::bigint[])',
      [large.map((change) => change.id)],
    )
  const { rows } = await underToken(lane.from, lane, 'share', read, BRIEF)
  const found = new Map(rows.map((row) => [row.id, row.row]))
  return changes.flatMap((change) => {
    if (!change.large) return [change]
    const row = found.get(change.id)
    return row === undefined ? [] : [{ ...change, row }]
  })
}

function tableOf(lane: Lane, change: Change): TableMove {
  if (isBeat(change)) return CANARY
  const table = lane.tables.find((one) => tableId(one.source) === change.tbl)
  if (!table) throw new Error(`${lane.context}: change ${change.id} is of "${change.tbl}", which is not in the plan`)
  return table
}

function aboutRow(error: unknown): boolean {
  const code = (error as { code?: unknown }).code
  return typeof code === 'string' && code.length === 5 && !NOT_THE_ROW.includes(code.slice(0, 2))
}

/** Name of the constraint and SQLSTATE, not PostgreSQL's detail, nor a message that quotes values of the row. */
function reasonOf(error: unknown): string {
  const { code, constraint, column } = error as { code?: string; constraint?: string; column?: string }
  const place = constraint ? ` (constraint "${constraint}")` : column ? ` (column "${column}")` : ''
  const message = messageWithoutValues(error as Error)
  return `SQLSTATE ${code}${place}${message.startsWith('SQLSTATE') ? '' : `: ${message}`}`
}
