/** Rule 14: proof, change by change, that each has reached its row; only a proven change is purged. */
import { applyBatch, type BlockedChange } from './apply.ts'
import { canaryMove, isBeat } from './canary.ts'
import type { Change, Lane } from './lane.ts'
import { tableId } from './lane.ts'
import { BRIEF, type Held, underToken } from './token.ts'

export interface Reconciled {
  readonly checked: number
  /** Changes that had not arrived, and were applied straight from the source. */
  readonly applied: number
  readonly blocked: BlockedChange | null
  /** Every change up to the marker is on the other side. */
  readonly complete: boolean
}

const PAGE = 1000

/**
 * Goes through every change of the lane up to `upTo` that is not proven yet. There is no position to go on from: a
 * lower id may have committed later, so what is still in `banyan.changes` is what is still to be proven. A canary row
 * is never applied from here: it is the proof that the lane itself works, and that what was written before it arrived.
 * @param upTo a marker's id; after the fence, nothing can come below it any more
 * @throws TokenOverruled, SideOpen
 */
export async function reconcile(lane: Lane, upTo: bigint): Promise<Reconciled> {
  let checked = 0
  let applied = 0
  let after = 0n
  for (;;) {
    const page = await readPage(lane, after, upTo)
    if (page.length === 0) return { checked, applied, blocked: null, complete: true }
    after = BigInt(page.at(-1)!.id)
    checked += page.length
    const missing = await missingAtTarget(lane, page)
    const beats = missing.filter(isBeat)
    const rows = missing.filter((change) => !isBeat(change))
    if (rows.length > 0) {
      const { done, blocked } = await applyBatch(lane, rows)
      applied += done
      if (blocked) return { checked, applied, blocked, complete: false }
    }
    // A missing beat is waited for, but only the newest: it proves what the ones before it would.
    const awaited = beats.at(-1)
    await purgeProven(
      lane,
      page.filter((change) => change !== awaited),
    )
  }
}

/** Changes whose proof is still to come; `banyan.changes` grows while nobody reconciles. */
export async function unproven(lane: Lane): Promise<number> {
  const { rows } = await lane.from.query<{ count: string }>(
    `select count(*) as count from banyan.changes where context = $1 and move = $2 and op <> 'm'`,
    [lane.context, lane.move],
  )
  return Number(rows[0]!.count)
}

async function readPage(lane: Lane, after: bigint, upTo: bigint): Promise<Change[]> {
  const read = async ({ tx }: Held) => {
    const { rows } = await tx.query<Change>(
      `select id::text as id, context, move::text as move, op::text as op, tbl, key, null as row, true as large,
          token::text as token
        from banyan.changes where context = $1 and move = $2 and op <> 'm' and id > $3 and id <= $4
        order by banyan.changes.id limit ${PAGE}`,
      [lane.context, lane.move, after, upTo],
    )
    // Rows are only read for what is missing, which `large` makes the applier do; deletes have none.
    return rows.map((change) => (change.op === 'u' ? change : { ...change, large: false }))
  }
  return underToken(lane.from, lane, 'share', read, BRIEF)
}

async function missingAtTarget(lane: Lane, page: readonly Change[]): Promise<Change[]> {
  const targets = new Map(lane.tables.map((table) => [tableId(table.source), tableId(table.target)]))
  targets.set(tableId(canaryMove().source), tableId(canaryMove().target))
  const look = async ({ tx }: Held) => {
    const { rows } = await tx.query<{ id: string }>(
      `select c.id::text as id from unnest($2::text[], $3::text[], $4::bigint[]) c(tbl, key, id)
        left join banyan.row_version v on v.context = $1 and v.tbl = c.tbl and v.key = c.key
        where (v.key is null or (v.move, v.id) < ($5::bigint, c.id))
          and c.id > coalesce((select b.id from banyan.border b where b.context = $1 and b.move = $5::bigint), 0)`,
      [
        lane.context,
        page.map((change) => targets.get(change.tbl) ?? change.tbl),
        page.map((change) => change.key),
        page.map((change) => change.id),
        lane.move,
      ],
    )
    const ids = new Set(rows.map((row) => row.id))
    return page.filter((change) => ids.has(change.id))
  }
  return underToken(lane.to, lane, 'share', look, BRIEF)
}

/** An unpublished change stays: the relay would otherwise let a marker go that does not stand behind it. */
async function purgeProven(lane: Lane, page: readonly Change[]): Promise<void> {
  if (page.length === 0) return
  const purge = ({ tx }: Held) =>
    tx.query(
      `delete from banyan.changes
        where published_at is not null and (id = any ($1::bigint[]) or (context = $2 and op = 'm' and id < $3))`,
      [page.map((change) => change.id), lane.context, page[0]!.id],
    )
  await underToken(lane.from, lane, 'share', purge, BRIEF)
}
