import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

// A large body passes in chunks of 64 KiB. Each leaves a buffer outside the heap, and V8, which sees little garbage
// inside, would let about 64 MiB of them pile up before it looks. While something large passes, the young generation
// is collected after each few MiB: under 1 ms each time, and faster on the whole than the late, large collections.

export interface SteadyMemory {
  /** Something large begins to pass. Returns what to call when it has ended. */
  begin(): () => void
}

const LARGE_BYTES = 1024 * 1024
const LOOK_MS = 10
const COLLECT_AFTER_BYTES = 8 * 1024 * 1024

/** Whether a body is large, or of unknown length and so perhaps large. */
export function isLarge(contentLength: string | undefined): boolean {
  return contentLength === undefined || Number(contentLength) > LARGE_BYTES
}

export function createSteadyMemory(): SteadyMemory {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void
  let open = 0
  let after = 0
  let timer: NodeJS.Timeout | undefined
  const look = () => {
    const { arrayBuffers } = process.memoryUsage()
    if (arrayBuffers - after > COLLECT_AFTER_BYTES) {
      collect({ type: 'minor' })
      after = process.memoryUsage().arrayBuffers
    } else if (arrayBuffers < after) after = arrayBuffers
  }
  return {
    begin() {
      if (open === 0) {
        after = process.memoryUsage().arrayBuffers
        timer = setInterval(look, LOOK_MS).unref()
      }
      open += 1
      return () => {
        open -= 1
        if (open === 0) clearInterval(timer)
      }
    },
  }
}
