import { setTimeout as pause } from 'node:timers/promises'

/** The tables stayed busy for the whole deadline; nothing was changed. */
export class LockBusy extends Error {
  override readonly name = 'LockBusy'
  readonly code = 'lock-busy'
}

const LOCK_NOT_AVAILABLE = '55P03'
const DEADLOCK = '40P01'

/** How long one attempt waits for a table's lock: a queued lock already blocks the writers behind it (rule 18). */
export const LOCK_TIMEOUT_MS = 800

/**
 * Repeats a transaction that lost a lock, with a growing, random back-off.
 * @param deadlineMs from now; at least one attempt is made
 * @throws LockBusy at the deadline; any other error at once
 */
export async function retryLock<T>(what: string, deadlineMs: number, attempt: () => Promise<T>): Promise<T> {
  const until = performance.now() + deadlineMs
  for (let round = 1; ; round++) {
    try {
      return await attempt()
    } catch (error) {
      const code = (error as { code?: string }).code
      if (code !== LOCK_NOT_AVAILABLE && code !== DEADLOCK) throw error
      const backOff = Math.min(400, 25 * 2 ** round) * (0.5 + Math.random())
      if (performance.now() + backOff >= until) {
        throw new LockBusy(`${what}: no lock on the tables within ${deadlineMs} ms, ${round} attempts`, {
          cause: error,
        })
      }
      await pause(backOff)
    }
  }
}
