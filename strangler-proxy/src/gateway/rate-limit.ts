/** So many requests within so long. */
export interface Rate {
  readonly requests: number
  readonly perMs: number
}

export interface RateLimiter {
  /**
   * Counts a request of somebody under a rate.
   * @returns 0, or after how many milliseconds the next one would be let through; such a request is not counted.
   */
  take(who: string, rate: Rate): number
  /** How many are remembered, for the metrics. */
  size(): number
}

/** Remembered at most, twice over: about 10 MB, whoever sends. */
const REMEMBERED = 50_000

/**
 * Token buckets as one number each: the time at which the bucket will be full again (the generic cell rate algorithm).
 * Two maps take turns, so that whoever has not come for a while is forgotten together, and nothing is ever deleted one
 * by one. Who is forgotten early, by a flood of made-up addresses, starts with a full bucket.
 */
export function createRateLimiter(
  options: { readonly remembered?: number; readonly now?: () => number } = {},
): RateLimiter {
  const { remembered = REMEMBERED, now = () => performance.now() } = options
  let recent = new Map<string, number>()
  let older = new Map<string, number>()
  return {
    take(who, { requests, perMs }) {
      const at = now()
      const each = perMs / requests
      const fullAt = Math.max(recent.get(who) ?? older.get(who) ?? at, at) + each
      const wait = fullAt - at - perMs
      // Fractions of a millisecond come from dividing, not from anybody.
      if (wait > 0.001) return wait
      if (recent.size >= remembered && !recent.has(who)) {
        older = recent
        recent = new Map()
      }
      recent.set(who, fullAt)
      return 0
    },
    size: () => recent.size + older.size,
  }
}
