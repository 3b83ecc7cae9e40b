import { setTimeout as sleep } from 'node:timers/promises'
import type { OwnSockets } from '../own-sockets.ts'

/** A step in hand may end by itself for so long after the lead is lost. */
const GRACE_MS = 5_000

/**
 * Destroys every connection some seconds after the lead is lost: a query that hangs is rejected then, so that the
 * process can close what it has open and seek the lead again.
 * @param lost the leadership's signal
 * @param closed aborted when all has been closed
 */
export function cutWhenLost(sockets: OwnSockets, lost: AbortSignal, closed: AbortSignal): void {
  const afterGrace = async () => {
    await sleep(GRACE_MS, undefined, { signal: closed })
    sockets.destroy()
  }
  lost.addEventListener('abort', () => void afterGrace().catch(() => undefined), { once: true })
}
