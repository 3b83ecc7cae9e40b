/** Tombstones go only together with a border at or below which changes are discarded (rule 14). */
import type { Lane } from './lane.ts'
import { ask } from './open-db.ts'
import { BRIEF, type Held, underToken } from './token.ts'

/** A moment at the source: the highest id it had given out, and what was open then. */
export interface Moment {
  readonly id: bigint
  /** A transaction id that was given out after all of theirs. */
  readonly horizon: bigint
}

/** Takes the moment whose end `purgeTombstones` waits for: whoever took an id up to it has a number below `horizon`. */
export async function takeMoment(lane: Lane): Promise<Moment> {
  const last = await ask<{ id: string | null }>(
    lane.from,
    `select pg_sequence_last_value(pg_get_serial_sequence('banyan.changes', 'id')::regclass) as id`,
    [],
  )
  // In this order: a horizon read together with the id could be older than the transaction that took it. And a number
  // of our own, not the snapshot's xmax: that one is only past what has completed, so that on a quiet server the
  // very transaction that is open would stand beyond it.
  const open = await ask<{ horizon: string }>(lane.from, 'select pg_current_xact_id()::text as horizon', [])
  return { id: BigInt(last.rows[0]!.id ?? 0), horizon: BigInt(open.rows[0]!.horizon) }
}

/**
 * Purges the tombstones of changes up to a moment, if every transaction that was open then has ended and every change
 * up to it is proven.
 * @returns how many went; null while the moment is not over, or not all of it is proven
 */
export async function purgeTombstones(lane: Lane, moment: Moment): Promise<number | null> {
  const isOver = async ({ tx }: Held) => {
    const { rows } = await tx.query<{ over: boolean }>(
      `select pg_snapshot_xmin(pg_current_snapshot())::text::numeric >= $3::numeric and not exists (
          select from banyan.changes where context = $1 and op <> 'm' and id <= $2
        ) as over`,
      [lane.context, moment.id, moment.horizon],
    )
    return rows[0]!.over
  }
  const over = await underToken(lane.from, lane, 'share', isOver, BRIEF)
  if (!over) return null
  return underToken(
    lane.to,
    lane,
    'share',
    async ({ tx }) => {
      await tx.query(
        `insert into banyan.border as b (context, move, id) values ($1, $2, $3)
          on conflict (context) do update set move = excluded.move, id = excluded.id
            where (b.move, b.id) < (excluded.move, excluded.id)`,
        [lane.context, lane.move, moment.id],
      )
      const { rowCount } = await tx.query(
        'delete from banyan.row_version where context = $1 and move = $2 and id <= $3 and deleted',
        [lane.context, lane.move, moment.id],
      )
      await tx.query(`delete from banyan.markers where context = $1 and at < clock_timestamp() - interval '1 hour'`, [
        lane.context,
      ])
      return rowCount ?? 0
    },
    { ...BRIEF, apply: 'exclusive' },
  )
}
