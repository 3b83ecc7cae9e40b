/** Slows down who guesses: an address that was wrong waits before it may try again, each time twice as long. */
export type LoginBrake = {
  /**
   * An attempt sets out, and counts as wrong until it was right: those beside it wait, too.
   * @returns milliseconds to wait instead; 0 when it may go on
   */
  begin(address: string): number
  right(address: string): void
}

const FIRST_MS = 500
const MOST_MS = 30_000
const FORGOTTEN_AFTER_MS = 15 * 60_000
const REMEMBERED = 10_000

/** @param now milliseconds of a clock that never goes back */
export function createLoginBrake(now: () => number = () => performance.now()): LoginBrake {
  const wrong = new Map<string, { times: number; until: number }>()
  return {
    begin(address) {
      const at = now()
      const before = wrong.get(address)
      if (before && at < before.until) return before.until - at
      const times = before && at < before.until + FORGOTTEN_AFTER_MS ? before.times + 1 : 1
      wrong.delete(address)
      const [oldest] = wrong.keys()
      if (wrong.size >= REMEMBERED && oldest !== undefined) wrong.delete(oldest)
      wrong.set(address, { times, until: at + Math.min(FIRST_MS * 2 ** (times - 1), MOST_MS) })
      return 0
    },
    right: (address) => void wrong.delete(address),
  }
}
