import { setTimeout as sleep } from 'node:timers/promises'

/** Where a runner takes the time from. Milliseconds since 1970. */
export type Clock = {
  now(): number
  /** Resolves at or after `until`, or as soon as the signal aborts. */
  sleepUntil(until: number, signal: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  // The abort is the other way to end a sleep, not a failure of it.
  sleepUntil: (until, signal) => sleep(Math.max(0, until - Date.now()), undefined, { signal }).catch(() => undefined),
}

/** A clock for tests: it stands still until somebody sleeps or advances it. */
export const createVirtualClock = (start = 0): Clock & { advance(ms: number): void } => {
  let now = start
  return {
    now: () => now,
    sleepUntil: async (until) => {
      now = Math.max(now, until)
    },
    advance: (ms) => {
      now += ms
    },
  }
}
