import { setTimeout as pause } from 'node:timers/promises'

/** The tables stayed busy for the whole deadline; nothing was changed. */
export class LockBusy extends Error {
  override readonly name = 'LockBusy'
  readonly code = 'lock-busy'
}

const LOCK_NOT_AVAILABLE = '55P03'
const DEADLOCK = '40P01'

/** Whether a transaction failed for want of a lock: it may be tried again as it is. */
export function lostLock(error: unknown): boolean {
  const { code } = error as { code?: string }
  return code === LOCK_NOT_AVAILABLE || code === DEADLOCK
}

/** How long one attempt waits for a table's lock: a queued lock already blocks the writers behind it (rule 18). */
export const LOCK_TIMEOUT_MS = 800

/**
 * Repeats a transaction that lost a lock, with a growing, random back-off.
 * @param deadlineMs from now; at least one attempt is made
 * @throws LockBusy at the deadline; any other error at once
 */
export async function retryLock<T>(what: string, deadlineMs: number, attempt: () => Promise<T>): Promise<T> {
  const begun = performance.now()
  for (let round = 1; ; round++) {
    try {
      return await attempt()
    } catch (error) {
      if (!lostLock(error)) throw error
      const backOff = Math.min(400, 25 * 2 ** round) * (0.5 + Math.random())
      const waited = performance.now() - begun
      if (waited + backOff >= deadlineMs) {
        const tries = round === 1 ? 'one try' : `${round} tries`
        throw new LockBusy(`${what}: no lock after ${Math.round(waited)} ms and ${tries}`, { cause: error })
      }
      await pause(backOff)
    }
  }
}
