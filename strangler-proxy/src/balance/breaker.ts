import CircuitBreaker from 'opossum'

/** Says how one request went: `null` where that tells nothing of the upstream. */
export type Verdict = (well: boolean | null) => void

const ignore = () => undefined

export interface Breaker {
  /** The way to say how a request went, or null: it may not be sent. */
  enter(): Verdict | null
  /** Whether a request would be let through now. */
  lets(): boolean
  close(): void
}

/** Opens when more than half of at least 20 requests within a second failed; lets one through after another second. */
const SETTINGS = {
  timeout: false as const,
  errorThresholdPercentage: 50,
  volumeThreshold: 20,
  rollingCountTimeout: 1_000,
  rollingCountBuckets: 10,
  rollingPercentilesEnabled: false,
  enableSnapshots: false,
  resetTimeout: 1_000,
}

const FAILED = new Error('the request failed')

/**
 * A verdict that is still to come, in the two steps in which the breaker asks for one. Three promises in its place would
 * cost every request more than the rest of the balancing, and tell the breaker later.
 */
class Pending {
  well: () => void = ignore
  failed: (error: Error) => void = ignore
  // biome-ignore lint/suspicious/noThenProperty: it is one
  then(well: () => void): this {
    this.well = well
    return this
  }
  catch(failed: (error: Error) => void): void {
    this.failed = failed
  }
}

/** A breaker in front of all instances of a side. */
export function createBreaker(onChange: (to: 'open' | 'closed') => void): Breaker {
  const circuit = new CircuitBreaker((verdict: Pending) => verdict as unknown as Promise<void>, SETTINGS)
  circuit.on('open', () => onChange('open'))
  circuit.on('close', () => onChange('closed'))
  const lets = () => circuit.closed || circuit.pendingClose
  return {
    lets,
    enter() {
      if (!lets()) return null
      const pending = new Pending()
      circuit.fire(pending).catch(ignore)
      return (well) => {
        // The one that is let through to see must say something: no news from it is no good news.
        if (well ?? circuit.closed) pending.well()
        else pending.failed(FAILED)
      }
    },
    close: () => circuit.shutdown(),
  }
}
