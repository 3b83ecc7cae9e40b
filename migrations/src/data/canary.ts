/** A captured row of our own that goes all the way: proof of a lane before it is needed, and the heartbeat. */
import type { Change, Db, Lane, TableMove } from './lane.ts'
import { tableId } from './lane.ts'
import { ask } from './open-db.ts'
import { BRIEF, type Held, underToken } from './token.ts'

export interface Beat {
  readonly beat: bigint
  readonly at: Date
}

const CANARY = { schema: 'banyan', name: 'canary' }

/** The canary as a table move; both sides have the same one. */
export function canaryMove(): TableMove {
  const column = (name: string, type: string) => ({
    source: name,
    target: name,
    sourceType: type,
    targetType: type,
    sourceGenerated: false,
    targetGenerated: false,
    sourceIdentityAlways: false,
    targetIdentityAlways: false,
  })
  const columns = [
    column('context', 'text'),
    column('from_side', 'text'),
    column('beat', 'bigint'),
    column('at', 'timestamp with time zone'),
  ]
  return { source: CANARY, target: CANARY, key: ['context', 'from_side'], columns }
}

/** Whether a change is of the canary rather than of a table of the plan. */
export const isBeat = ({ tbl }: Pick<Change, 'tbl'>): boolean => tbl === tableId(CANARY)

/**
 * Beats at the lane's `from`; the row travels like any other.
 * @param at the control database's time, which a reader's cookie is compared with
 */
export async function sendBeat(lane: Lane, at: Date): Promise<Beat> {
  const beat = async ({ tx }: Held) => {
    const { rows } = await tx.query<{ beat: string; at: Date }>(
      `insert into banyan.canary as c (context, from_side, beat, at)
        values ($1, $2, 1, $3)
        on conflict (context, from_side) do update set beat = c.beat + 1, at = excluded.at returning beat, at`,
      [lane.context, lane.fromSide, at.toISOString()],
    )
    return { beat: BigInt(rows[0]!.beat), at: rows[0]!.at }
  }
  return underToken(lane.from, lane, 'share', beat, BRIEF)
}

/** @returns the last beat that the lane has applied at `to`, or null before the first one */
export async function appliedBeat(lane: Pick<Lane, 'context' | 'fromSide'> & { to: Db }): Promise<Beat | null> {
  const { rows } = await ask<{ beat: string; at: Date }>(
    lane.to,
    'select beat, at from banyan.canary where context = $1 and from_side = $2',
    [lane.context, lane.fromSide],
  )
  return rows[0] ? { beat: BigInt(rows[0].beat), at: rows[0].at } : null
}
