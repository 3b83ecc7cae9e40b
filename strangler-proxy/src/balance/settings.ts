/** How instances are looked after; from the route table's `upstreams`. */
export interface BalanceSettings {
  readonly health: {
    /** The path that is asked, or null: nobody asks. */
    readonly monolith: string | null
    readonly services: string | null
    readonly intervalMs: number
    readonly timeoutMs: number
    /** Bad answers in a row after which an instance gets no requests, and good ones after which it gets them again. */
    readonly failures: number
    readonly passes: number
  }
  readonly ejection: {
    /** Failures in a row of real requests that put an instance out. */
    readonly failures: number
    readonly forMs: number
    /** The part of a side's instances, from 0 to 1, that failures may put out at once. */
    readonly share: number
  }
  /** Over how long an instance that joins others comes to its full part of the requests. */
  readonly slowStartMs: number
}

export const BALANCE: BalanceSettings = {
  health: { monolith: null, services: null, intervalMs: 2_000, timeoutMs: 1_000, failures: 3, passes: 2 },
  ejection: { failures: 5, forMs: 10_000, share: 0.5 },
  slowStartMs: 10_000,
}
