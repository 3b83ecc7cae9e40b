import type { OwnershipWatch } from '@banyan/kit/ownership'
import { WRITTEN_MARGIN_MS } from '../cookies.ts'
import { outOfStep } from './in-step.ts'

/** Says when a context's other side has applied all that its owner had at a moment. */
export interface CatchingUp {
  /** @param tell is told true when it has; false when it is not within the bound, or no longer follows */
  wait(context: string, tell: (caughtUp: boolean) => void): void
  close(): void
}

interface Waiting {
  readonly context: string
  /** Control-database time (ms) that a heartbeat must pass. */
  readonly after: number
  readonly until: number
  /** With another owner, heartbeats go the other way. */
  readonly term: bigint | undefined
  readonly tell: (caughtUp: boolean) => void
}

const LOOK_MS = 50

/** @param withinMs how long anybody waits */
export function createCatchingUp(ownership: Pick<OwnershipWatch, 'get' | 'now'>, withinMs: number): CatchingUp {
  const waiting = new Set<Waiting>()
  let timer: NodeJS.Timeout | null = null
  const look = () => {
    const now = performance.now()
    for (const one of waiting) {
      const known = ownership.get(one.context)
      const has = (known?.heartbeatApplied?.getTime() ?? 0) > one.after
      const away = known?.term !== one.term || outOfStep(known, ownership.now(), Number.POSITIVE_INFINITY) !== null
      const over = away || now > one.until
      if (!has && !over) continue
      waiting.delete(one)
      one.tell(has && !away)
    }
    if (waiting.size > 0 || timer === null) return
    clearInterval(timer)
    timer = null
  }
  return {
    wait(context, tell) {
      // Clocks are read, and rows become visible, a little apart.
      const after = ownership.now().getTime() + WRITTEN_MARGIN_MS
      waiting.add({ context, after, until: performance.now() + withinMs, term: ownership.get(context)?.term, tell })
      timer ??= setInterval(look, LOOK_MS).unref()
    },
    close() {
      if (timer) clearInterval(timer)
      timer = null
      waiting.clear()
    },
  }
}
