/**
 * Slows down who guesses: an address that was wrong waits before it may try again, each time twice as long. A right login
 * in between makes nothing forgotten: whoever has an account of their own would guess another's between two of them.
 */
export type LoginBrake = {
  /**
   * An attempt sets out; those beside it wait until it has ended.
   * @returns milliseconds to wait instead; 0 when it may go on, and `ended` is to be told how it went
   */
  begin(address: string): number
  ended(address: string, right: boolean): void
}

const FIRST_MS = 500
const MOST_MS = 30_000
const FORGOTTEN_AFTER_MS = 15 * 60_000
const REMEMBERED = 10_000

type Tries = { wrong: number; underWay: boolean; until: number }

/** @param now milliseconds of a clock that never goes back */
export function createLoginBrake(now: () => number = () => performance.now()): LoginBrake {
  const known = new Map<string, Tries>()
  return {
    begin(address) {
      const at = now()
      const before = known.get(address)
      if (before?.underWay) return FIRST_MS
      if (before && at < before.until) return before.until - at
      const wrong = before && at < before.until + FORGOTTEN_AFTER_MS ? before.wrong : 0
      known.delete(address)
      const [oldest] = known.keys()
      if (known.size >= REMEMBERED && oldest !== undefined) known.delete(oldest)
      known.set(address, { wrong, underWay: true, until: at })
      return 0
    },
    ended(address, right) {
      const wrong = (known.get(address)?.wrong ?? 0) + (right ? 0 : 1)
      // From now and not from its beginning: on a busy machine checking a secret takes longer than the first wait.
      const until = now() + (right ? 0 : Math.min(FIRST_MS * 2 ** (wrong - 1), MOST_MS))
      known.set(address, { wrong, underWay: false, until })
    },
  }
}
