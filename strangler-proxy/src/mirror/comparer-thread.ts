import { Worker } from 'node:worker_threads'
import type { Logger } from '@banyan/kit/service'
import type { ComparerData, ToComparer, Told } from './copy.ts'

/** The comparer in a thread of its own, started with the first copy and again after it broke. */
export interface ComparerThread {
  /** @returns false while it has just broken */
  tell(what: ToComparer): boolean
  close(): Promise<void>
}

export type OpenComparer = (
  data: ComparerData,
  on: {
    told(what: Told): void
    /** Whatever it was told and has not answered is lost. */
    broke(): void
  },
  logger: Logger,
) => ComparerThread

const AGAIN_AFTER_MS = 5_000
const MEGABYTES = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 32 }

export const openComparer: OpenComparer = (data, on, logger) => {
  // The same name with the same ending, in sources and when built.
  const file = new URL(import.meta.url.replace(/comparer-thread(\.\w+)$/, 'comparer$1'))
  let worker: Worker | null = null
  let brokeAt = Number.NEGATIVE_INFINITY
  let closed = false
  const start = (): Worker => {
    const made = new Worker(file, { workerData: data, resourceLimits: MEGABYTES })
    made.on('message', on.told)
    made.on('error', (err) => logger.warn({ err }, 'the thread that compares mirrored reads broke'))
    made.once('exit', () => {
      worker = null
      if (closed) return
      brokeAt = performance.now()
      on.broke()
    })
    // A thread must not keep a proxy alive that has served its last request.
    made.unref()
    return made
  }
  return {
    tell(what) {
      if (closed || performance.now() - brokeAt < AGAIN_AFTER_MS) return false
      worker ??= start()
      worker.postMessage(what)
      return true
    },
    async close() {
      closed = true
      await worker?.terminate()
    },
  }
}
