/** What each side answered, second by second, for the console's charts: of this proxy, and of the last two minutes. */
export type Traffic = {
  note(side: string, status: number, ms: number): void
  /** The seconds that are over, the oldest first. */
  history(): readonly Second[]
}

export type Second = { readonly at: number; readonly sides: Readonly<Record<string, SideSecond>> }
/** Latencies in milliseconds, null in a second without an answer. */
export type SideSecond = {
  readonly rate: number
  readonly errors: number
  readonly p50: number | null
  readonly p99: number | null
}

const KEPT = 120
/** Bounds of the classes of latency: each a fifth above the one before, from 0.1 ms to about 80 s. */
const STEP = Math.log(1.2)
const LEAST_MS = 0.1
const CLASSES = 75

type Count = { answers: number; errors: number; readonly classes: Uint32Array }

/** @param now milliseconds since the epoch */
export function createTraffic(now: () => number = Date.now): Traffic {
  const seconds = new Map<number, Map<string, Count>>()
  const begun = Math.floor(now() / 1000)
  const countOf = (at: number, side: string): Count => {
    let sides = seconds.get(at)
    if (sides === undefined) {
      sides = new Map()
      seconds.set(at, sides)
      for (const old of seconds.keys()) if (old < at - KEPT) seconds.delete(old)
    }
    let count = sides.get(side)
    if (count === undefined) {
      count = { answers: 0, errors: 0, classes: new Uint32Array(CLASSES) }
      sides.set(side, count)
    }
    return count
  }
  return {
    note(side, status, ms) {
      const count = countOf(Math.floor(now() / 1000), side)
      count.answers += 1
      if (status >= 500) count.errors += 1
      const at = Math.max(0, Math.min(CLASSES - 1, Math.ceil(Math.log(ms / LEAST_MS) / STEP)))
      count.classes[at] = (count.classes[at] ?? 0) + 1
    },
    history() {
      const until = Math.floor(now() / 1000)
      const from = Math.max(begun, until - KEPT)
      return Array.from({ length: until - from }, (_, index) => shown(from + index, seconds.get(from + index)))
    },
  }
}

function shown(at: number, sides: ReadonlyMap<string, Count> | undefined): Second {
  const entries = [...(sides ?? [])].map(([side, count]) => [
    side,
    { rate: count.answers, errors: count.errors, p50: quantile(count, 0.5), p99: quantile(count, 0.99) },
  ])
  return { at, sides: Object.fromEntries(entries) }
}

function quantile({ answers, classes }: Count, share: number): number | null {
  let left = Math.ceil(answers * share)
  for (const [index, count] of classes.entries()) {
    left -= count
    if (count > 0 && left <= 0) return Math.round(LEAST_MS * Math.exp(index * STEP) * 10) / 10
  }
  return null
}
