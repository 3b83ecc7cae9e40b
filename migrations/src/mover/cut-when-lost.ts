import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool, PoolClient } from 'pg'

/** A step in hand may end by itself for so long after the lead is lost. */
const GRACE_MS = 5_000

/**
 * Ends every connection of a pool some seconds after the lead is lost: a query that hangs is rejected then, so that the
 * process can close what it has open and seek the lead again.
 * @param lost the leadership's signal
 * @param closed aborted when the pool has ended by itself
 */
export function cutWhenLost(pool: Pool, lost: AbortSignal, closed: AbortSignal): void {
  const open = new Set<PoolClient>()
  let cut = false
  const end = (client: PoolClient) => void client.end().catch(() => undefined)
  pool.on('connect', (client) => {
    if (cut) end(client)
    else open.add(client)
  })
  pool.on('remove', (client) => open.delete(client))
  const afterGrace = async () => {
    await sleep(GRACE_MS, undefined, { signal: closed })
    cut = true
    for (const client of open) end(client)
  }
  lost.addEventListener('abort', () => void afterGrace().catch(() => undefined), { once: true })
}
