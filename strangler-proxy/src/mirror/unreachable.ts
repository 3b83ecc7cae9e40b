import { Unanswered } from './unanswered.ts'

/** Addresses that could not be connected to a moment ago: to try again for each copy would cost the requests of others. */
export interface Unreachable {
  /** Why there was no connection; null where one may be tried. */
  why(address: string): Unanswered | null
  /** Takes note of what became of a question. */
  failed(address: string, error: Error): void
}

const FOR_MS = 1_000
/** Addresses come and go with their instances. */
const ADDRESSES_AT_MOST = 100

/** @param now ms of a clock that only goes on */
export function createUnreachable(now: () => number): Unreachable {
  const known = new Map<string, { readonly until: number; readonly why: Unanswered }>()
  return {
    why(address) {
      const found = known.get(address)
      return found !== undefined && now() < found.until ? found.why : null
    },
    failed(address, error) {
      if (!isOfConnecting(error)) return
      if (known.size >= ADDRESSES_AT_MOST) known.clear()
      known.set(address, { until: now() + FOR_MS, why: new Unanswered(error.message) })
    },
  }
}

/** A name with several addresses has an error of each. */
function isOfConnecting(error: Error): boolean {
  const { syscall } = (error instanceof AggregateError ? error.errors[0] : error) as NodeJS.ErrnoException
  return syscall === 'connect' || syscall === 'getaddrinfo'
}
