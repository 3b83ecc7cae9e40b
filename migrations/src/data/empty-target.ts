import type { Lane } from './lane.ts'
import { LOCK_TIMEOUT_MS } from './lock-retry.ts'
import { qualified } from './sql-text.ts'
import { underToken } from './token.ts'

/**
 * Empties the tables of the lane's `to`, which has to be closed: the inverse of a copy. Rows are deleted, not truncated, since other tables may refer to them.
 * @throws TokenOverruled, SideOpen; the server's error where a row stays locked
 */
export async function emptyTarget(lane: Lane): Promise<void> {
  await underToken(
    lane.to,
    lane,
    'update',
    async ({ tx }) => {
      for (const table of [...lane.tables].reverse()) await tx.query(`delete from ${qualified(table.target)}`)
      // Versions stay: a duplicate of an old change may still be on its way, and the next chunk is version 0.
      await tx.query('delete from banyan.copy_progress where context = $1', [lane.context])
      await tx.query('delete from banyan.copy_aside where context = $1', [lane.context])
    },
    { receiving: true, apply: 'exclusive', applying: true, lockTimeoutMs: LOCK_TIMEOUT_MS },
  )
}
