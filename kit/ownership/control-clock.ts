/** The control database's clock, from what it said last. */

export type ControlClock = { set(time: Date, sentAtMs: number): void; now(): Date }

/**
 * @param local Monotonic milliseconds, for tests.
 * @returns A clock that is never early: the answer was made after the question was sent, so the true time is at most the
 *   answer's plus what has passed since the *sending*. Whoever waits until "after now()" therefore waits long enough.
 */
export function createControlClock(local: () => number = () => performance.now()): ControlClock {
  let offset: number | undefined
  return {
    set(time, sentAtMs) {
      offset = time.getTime() - sentAtMs
    },
    now: () => (offset === undefined ? new Date() : new Date(Math.ceil(local() + offset))),
  }
}
