/** What writers were told, kept outside of everything that is tested. */
import type { Outcome, Write } from './doors.ts'
import type { Side } from './system.ts'

/** A product's price, or that it is not there. */
type State = number | 'absent'

/** A write that was acknowledged by one side: when it was sent and answered, and the term that its transaction saw. */
export type Acceptance = { side: Side; door: string; term?: number; ownerSeen?: string; from: number; to: number }

export type Memory = ReturnType<typeof createMemory>

export function createMemory() {
  const rows = new Map<string, Set<State>>()
  const acceptances: Acceptance[] = []
  const counts = { accepted: 0, refused: 0, absent: 0, unknown: 0 }
  const slowest: Record<string, number> = {}
  const unknowns: string[] = []
  return {
    counts,
    acceptances,
    /** Milliseconds of each door's slowest answer. */
    slowest,
    unknowns,
    note(door: string, write: Write, outcome: Outcome, from: number): void {
      const to = performance.now()
      counts[outcome.kind] += 1
      slowest[door] = Math.max(slowest[door] ?? 0, to - from)
      const possible = rows.get(write.sku) ?? new Set<State>(['absent'])
      const next: State = write.do === 'delete' ? 'absent' : write.price
      if (outcome.kind === 'accepted') {
        rows.set(write.sku, new Set([next]))
        const { side, term, ownerSeen } = outcome
        if (side)
          acceptances.push({ side, door, from, to, ...(term ? { term } : {}), ...(ownerSeen ? { ownerSeen } : {}) })
      } else if (outcome.kind === 'unknown') {
        unknowns.push(`${door}: ${outcome.why}`)
        rows.set(write.sku, possible.add(next))
      } else rows.set(write.sku, possible)
    },
    /** I2 and I4: what is held agrees with what was acknowledged; one line for each row that does not. */
    compare(held: ReadonlyMap<string, number>): string[] {
      return [...rows].flatMap(([sku, possible]) => {
        const is = held.get(sku) ?? 'absent'
        return possible.has(is) ? [] : [`${sku}: told ${[...possible].join(' or ')}, held ${is}`]
      })
    },
  }
}

/** I1: within one term all acknowledged writes are of one side, the one that owned it; terms follow each other in time. */
export function twoSidesOpen(acceptances: readonly Acceptance[]): string[] {
  const owners = new Map<number, Side>()
  const wrong: string[] = []
  let newest = 0
  for (const one of [...acceptances].filter((each) => each.term !== undefined).sort((a, b) => a.to - b.to)) {
    const term = one.term!
    const owner = owners.get(term) ?? one.side
    owners.set(term, owner)
    if (owner !== one.side) wrong.push(`term ${term}: accepted by ${owner} and by ${one.side} (${one.door})`)
    if (one.ownerSeen !== one.side) wrong.push(`${one.door} accepted a write while its owner was ${one.ownerSeen}`)
    const before = acceptances.find((each) => each.term !== undefined && each.term > term && each.to < one.from)
    if (term < newest && before)
      wrong.push(`term ${term}: a write at ${one.door} began after term ${before.term} had one`)
    newest = Math.max(newest, term)
  }
  return [...new Set(wrong)]
}
