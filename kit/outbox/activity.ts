/** Whether this process has appended lately: its relay then looks often for what the transaction commits, else seldom. */

/** A transaction that appends commits within this time, as a rule; a later one waits for the idle poll. */
export const LIVELY_MS = 1_000

let until = Number.NEGATIVE_INFINITY
const waiting = new Set<() => void>()

/** Wakes the relays of this process; what was appended is not committed yet. */
export function noteAppend(): void {
  until = performance.now() + LIVELY_MS
  for (const wake of waiting) wake()
}

/** Whether something was appended a moment ago. */
export const isLively = (): boolean => performance.now() < until

/** @returns takes `wake` away again */
export function onAppend(wake: () => void): () => void {
  waiting.add(wake)
  return () => waiting.delete(wake)
}
