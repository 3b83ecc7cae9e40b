import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

const CONNECT_MS = 2_000

export type Wakeups = {
  /** Resolves when the control database has news of the context, after `ms` at the latest, or when `stop` is aborted. */
  next(context: string, ms: number, stop: AbortSignal): Promise<void>
  close(): Promise<void>
}

/**
 * Listens for changed rows and new intents. Only a hastener: a lost notification costs one poll, and a lost
 * connection is made again.
 */
export function listenForWakeups(connectionString: string): Wakeups {
  const waiting = new Map<string, Set<() => void>>()
  const closed = new AbortController()
  // Our own, so that closing can destroy it: a connection that is ended politely while it still connects never says so,
  // and one whose peer has gone silent waits for it. A mover that waited here would not seek the lead again.
  let socket: Socket | null = null
  const loop = (async () => {
    while (!closed.signal.aborted) {
      const stream = new Socket()
      socket = stream
      const client = new pg.Client({
        connectionString,
        application_name: 'banyan mover (listener)',
        connectionTimeoutMillis: CONNECT_MS,
        stream: () => stream,
      })
      const ended = new Promise<void>((resolve) => client.on('end', resolve).on('error', () => resolve()))
      client.on('notification', ({ payload }) => {
        for (const wake of waiting.get(payload ?? '') ?? []) wake()
      })
      try {
        await client.connect()
        await client.query('listen banyan_intents')
        await client.query('listen banyan_ownership')
        await ended
      } catch {
        // Polling goes on without it; the next round connects again.
      }
      stream.destroy()
      await sleep(250, undefined, { signal: closed.signal }).catch(() => undefined)
    }
  })()
  return {
    async next(context, ms, stop) {
      const wakes = waiting.get(context) ?? new Set()
      waiting.set(context, wakes)
      const news = Promise.withResolvers<void>()
      const wake = () => news.resolve()
      const timer = setTimeout(wake, ms)
      wakes.add(wake)
      stop.addEventListener('abort', wake)
      await news.promise
      clearTimeout(timer)
      wakes.delete(wake)
      stop.removeEventListener('abort', wake)
    },
    async close() {
      closed.abort()
      socket?.destroy()
      await loop
    },
  }
}
