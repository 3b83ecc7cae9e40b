/** Reads without a pause, by which it is seen when a flip of their side has taken effect. */

interface Read {
  readonly sentAt: number
  readonly side: string
}

export interface Readers {
  /** Waits until a read that sets out from now on was answered by this side. */
  seen(side: 'monolith' | 'service'): Promise<void>
  /**
   * Turns reads away from the service, and back when the monolith has answered them for a while.
   * @returns how many milliseconds after its beginning the last read set out that the service answered; 0 where none did
   */
  flip(turn: { away(): Promise<void>; back(): Promise<void> }): Promise<number>
  end(): Promise<void>
}

const READERS = 8
/** Longer than the poll that would bring a flip nobody was told of. */
const WATCHED_MS = 400

/** @param url what is read; its answers tell their side by the header `x-side` */
export function startReaders(url: string): Readers {
  const reads: Read[] = []
  let ended = false
  const reader = async () => {
    while (!ended) {
      const sentAt = performance.now()
      const answer = await fetch(url)
      await answer.arrayBuffer()
      reads.push({ sentAt, side: answer.headers.get('x-side') ?? '' })
    }
  }
  const readers = Array.from({ length: READERS }, reader)
  const seen = async (side: string) => {
    const from = performance.now()
    while (!reads.some((one) => one.sentAt > from && one.side === side)) await pause(1)
  }
  return {
    seen,
    async flip({ away, back }) {
      reads.length = 0
      const began = performance.now()
      await away()
      await seen('monolith')
      await pause(WATCHED_MS)
      const misrouted = reads.filter((one) => one.sentAt >= began && one.side === 'service')
      await back()
      await seen('service')
      return Math.max(0, ...misrouted.map((one) => one.sentAt - began))
    },
    async end() {
      ended = true
      await Promise.allSettled(readers)
    },
  }
}

/** The time within which so great a part of them lies, from 0 to 1, by the nearest rank. */
export function within(times: readonly number[], part: number): number {
  const sorted = [...times].sort((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * part) - 1] ?? 0
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
