/** Rule 8: a marker is a change without a row; once it is applied, everything before it is. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Lane, Tx } from './lane.ts'
import { ask } from './open-db.ts'
import { BOUNDED, underToken } from './token.ts'

/** The marker did not come through in time. */
export class MarkerLate extends Error {
  override readonly name = 'MarkerLate'
  readonly code = 'marker-late'
}

/** Writes the marker of this attempt, in the transaction at hand. */
export async function insertMarker(tx: Tx, lane: Pick<Lane, 'context' | 'move' | 'token'>): Promise<bigint> {
  const { rows } = await tx.query<{ id: string }>(
    `insert into banyan.changes (context, move, op, token) values ($1, $2, 'm', $3) returning id`,
    [lane.context, lane.move, lane.token],
  )
  return BigInt(rows[0]!.id)
}

/** Sends a marker down the lane; what committed at `from` before this call is applied before it. */
export async function sendMarker(lane: Lane): Promise<bigint> {
  return underToken(lane.from, lane, 'share', ({ tx }) => insertMarker(tx, lane), BOUNDED)
}

/** @returns whether this very marker, of this very attempt, has been applied at `to` */
export async function markerApplied(lane: Lane, id: bigint): Promise<boolean> {
  const { rowCount } = await ask(
    lane.to,
    'select from banyan.markers where context = $1 and move = $2 and id = $3 and token = $4',
    [lane.context, lane.move, id, lane.token],
  )
  return rowCount === 1
}

/**
 * Waits until the marker is applied at `to`.
 * @throws MarkerLate after `deadlineMs`
 */
export async function awaitMarker(lane: Lane, id: bigint, deadlineMs: number): Promise<void> {
  const until = performance.now() + deadlineMs
  while (!(await markerApplied(lane, id))) {
    if (performance.now() >= until) {
      throw new MarkerLate(`${lane.context}: marker ${id} was not applied at the ${lane.toSide} in ${deadlineMs} ms`)
    }
    await pause(5)
  }
}
