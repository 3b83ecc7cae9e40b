import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Does work that notes what is known already again and again, so that a deadlock, or a database that is away for a
 * moment, does not take it along.
 * @param pauseAfter How many milliseconds after this error, of the attempt counted from 1, to try again; null: not any more.
 * @throws The error of the last attempt.
 */
export async function persistently<T>(
  work: () => Promise<T>,
  pauseAfter: (error: unknown, attempt: number) => number | null,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      const pauseMs = pauseAfter(error, attempt)
      if (pauseMs === null) throw error
      await sleep(pauseMs)
    }
  }
}
