// Which instance gets a request. Pure: time and chance are given.

/** What is known of an instance. */
export interface Fitness {
  readonly load: number
  readonly since: number
  readonly healthy: boolean
  readonly downUntil: number
}

/**
 * Those that may get requests: healthy by the checks, and not put out by failures. Where failures would put out more
 * than their share, they put out nobody: then it is the requests that are bad, or all of the side, and the few that are
 * left would be crushed. Nobody healthy means that the checks are no help, so all are tried.
 */
export function fitOnes<T extends Fitness>(all: readonly T[], now: number, share: number): readonly T[] {
  const healthy = all.filter((one) => one.healthy)
  const known = healthy.length > 0 ? healthy : all
  const fit = known.filter((one) => one.downUntil <= now)
  return known.length - fit.length > known.length * share ? known : fit
}

/**
 * The less loaded of two random ones, which spreads nearly as well as the least loaded of all and does not send
 * everybody to the same. One that joined less than `slowStartMs` ago is passed over by a chance that shrinks with its
 * age: its caches and pools are empty.
 */
export function leastLoadedOfTwo<T extends Fitness>(
  fit: readonly T[],
  at: { readonly now: number; readonly slowStartMs: number; random(): number },
): T | null {
  if (fit.length < 2) return fit[0] ?? null
  const first = Math.floor(at.random() * fit.length)
  const second = (first + 1 + Math.floor(at.random() * (fit.length - 1))) % fit.length
  const a = fit[first]!
  const b = fit[second]!
  const age = (one: T) => Math.min(1, (at.now - one.since) / at.slowStartMs)
  if (age(a) < 1 && at.random() > age(a)) return b
  if (age(b) < 1 && at.random() > age(b)) return a
  return b.load < a.load ? b : a
}
