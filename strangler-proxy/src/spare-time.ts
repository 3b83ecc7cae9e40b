import { constants, setPriority } from 'node:os'

/**
 * Leaves the calling thread only the processor time that others have no use for: what observes the requests must not
 * keep them waiting. Elsewhere than on Linux a thread has no priority of its own, and that of the process stays.
 */
export function runInSpareTime(): void {
  if (process.platform !== 'linux') return
  try {
    // 0 is the calling thread.
    setPriority(0, constants.priority.PRIORITY_LOW)
  } catch {
    // A sandbox may refuse it; then the thread has the same share as the others.
  }
}
