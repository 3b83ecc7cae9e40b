import CircuitBreaker from 'opossum'

/** Says how one request went: `null` where that tells nothing of the upstream. */
export type Verdict = (well: boolean | null) => void

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
const ignore = () => undefined

/** A breaker in front of all instances of a side. */
export function createBreaker(onChange: (to: 'open' | 'closed') => void): Breaker {
  const circuit = new CircuitBreaker((verdict: Promise<void>) => verdict, SETTINGS)
  circuit.on('open', () => onChange('open'))
  circuit.on('close', () => onChange('closed'))
  const lets = () => circuit.closed || circuit.pendingClose
  return {
    lets,
    enter() {
      if (!lets()) return null
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      circuit.fire(promise).catch(ignore)
      return (well) => {
        // The one that is let through to see must say something: no news from it is no good news.
        if (well ?? circuit.closed) resolve()
        else reject(FAILED)
      }
    },
    close: () => circuit.shutdown(),
  }
}
