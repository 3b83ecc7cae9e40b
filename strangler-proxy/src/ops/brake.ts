import { Problem } from '@banyan/kit/service'

/**
 * Slows down who guesses: a key that was wrong waits before it may try again, each time twice as long. What was right in
 * between makes nothing forgotten: whoever has an account of their own would guess another's between two of them.
 */
export type Brake = {
  /** @returns milliseconds that an attempt would have to wait now; 0 when it may set out */
  waitMs(key: string): number
  /**
   * An attempt sets out; those beside it wait until it has ended.
   * @returns milliseconds to wait instead; 0 when it may go on, and `ended` is to be told how it went
   */
  begin(key: string): number
  ended(key: string, right: boolean): void
}

const FIRST_MS = 500
const FORGOTTEN_AFTER_MS = 15 * 60_000
const REMEMBERED = 10_000

type Tries = { wrong: number; underWay: boolean; until: number }

/** @param options.now milliseconds of a clock that never goes back */
export function createBrake(options: { readonly mostMs: number; readonly now?: (() => number) | undefined }): Brake {
  const { mostMs, now = () => performance.now() } = options
  const known = new Map<string, Tries>()
  const waitMs = (key: string): number => {
    const before = known.get(key)
    if (before?.underWay) return FIRST_MS
    return Math.max((before?.until ?? 0) - now(), 0)
  }
  return {
    waitMs,
    begin(key) {
      const wait = waitMs(key)
      if (wait > 0) return wait
      const at = now()
      const before = known.get(key)
      const wrong = before && at < before.until + FORGOTTEN_AFTER_MS ? before.wrong : 0
      known.delete(key)
      const [oldest] = known.keys()
      if (known.size >= REMEMBERED && oldest !== undefined) known.delete(oldest)
      known.set(key, { wrong, underWay: true, until: at })
      return 0
    },
    ended(key, right) {
      const wrong = (known.get(key)?.wrong ?? 0) + (right ? 0 : 1)
      // From now and not from its beginning: on a busy machine checking a secret takes longer than the first wait.
      const until = now() + (right ? 0 : Math.min(FIRST_MS * 2 ** (wrong - 1), mostMs))
      known.set(key, { wrong, underWay: false, until })
    },
  }
}

/** What who is slowed down is told. */
export function tooSoon(detail: string, waitMs: number): Problem {
  const seconds = Math.ceil(waitMs / 1000)
  return new Problem(429, 'too-soon', `${detail}; try again in ${seconds} s.`, {
    headers: { 'Retry-After': String(seconds) },
  })
}
