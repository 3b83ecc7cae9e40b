import { Worker } from 'node:worker_threads'
import type { Exchange, WriterData, Written } from './exchange.ts'

/** Takes exchanges and never waits: what does not fit into the queue is refused. */
export interface Writer {
  /** @returns false when the queue is full */
  offer(exchange: Exchange): boolean
  /** Ends the file after what is in the queue; a writer that hangs is left behind after a bound. */
  end(): Promise<void>
}

export type OpenWriter = (
  data: WriterData,
  on: {
    wrote(what: Written): void
    /** The writer has ended by itself; nothing more is written. */
    broke(why: Error): void
  },
) => Writer

const QUEUED_AT_MOST = 1_000
const QUEUED_BYTES_AT_MOST = 16 * 1024 * 1024
const END_WITHIN_MS = 5_000
const MEGABYTES = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16 }

/** Opens a file of a recording in a thread of its own. Faults come by `broke`, never as an exception. */
export const openWriter: OpenWriter = (data, on) => {
  // The same name with the same ending, in sources and when built.
  const file = new URL(import.meta.url.replace(/writer-thread(\.\w+)$/, 'writer$1'))
  const worker = new Worker(file, { workerData: data, resourceLimits: MEGABYTES })
  const sizes: number[] = []
  let queued = 0
  let ended = false
  const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  worker.on('message', (what: Written) => {
    queued -= sizes.shift() ?? 0
    on.wrote(what)
  })
  worker.on('error', (error: Error) => {
    if (!ended) on.broke(error)
    ended = true
  })
  // A thread must not keep a proxy alive that has served its last request.
  worker.unref()
  return {
    offer(exchange) {
      const size = 1_000 + sizeOf(exchange.body) + sizeOf(exchange.answerBody)
      if (ended || sizes.length >= QUEUED_AT_MOST || queued + size > QUEUED_BYTES_AT_MOST) return false
      worker.postMessage(exchange)
      sizes.push(size)
      queued += size
      return true
    },
    async end() {
      ended = true
      worker.postMessage('end')
      const bound = Promise.withResolvers<void>()
      const timer = setTimeout(bound.resolve, END_WITHIN_MS)
      await Promise.race([gone, bound.promise])
      clearTimeout(timer)
      void worker.terminate()
    },
  }
}

function sizeOf(taped: Exchange['body']): number {
  return taped !== undefined && 'bytes' in taped ? taped.bytes.length : 0
}
