/** A direct connection that is always being kept up: reconnects with back-off, notices a stalled server, closes at once. */
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Logger } from '../service/logger.ts'

export type Query = (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>

export type Session = {
  readonly query: Query
  /** Resolves after `ms`, or earlier when `wake` is called or a notification arrives. */
  idle(ms: number): Promise<void>
}

export type Keeper = {
  /** Ends the wait of `idle`, or the next one if the work is not idle now. */
  wake(): void
  /** Runs `last` on the connection if there is one, within half a second, then closes. */
  close(last?: (query: Query) => Promise<unknown>): Promise<void>
}

/** Longer than a healthy statement takes, shorter than a lease: a stalled connection must not cost one. */
const QUERY_TIMEOUT_MS = 1_000
const CONNECT_TIMEOUT_MS = 2_000
const BACKOFF_MS = { first: 50, most: 1_000 }
const STEADY_MS = 1_000
const FAREWELL_MS = 500

/**
 * @param options.connectionString A direct one: a pooler in between has no LISTEN and no session.
 * @param options.name Shown in `pg_stat_activity`.
 * @param options.work Runs once a connection, until it throws or `close` is called.
 */
export function keepSession(options: {
  connectionString: string
  name: string
  logger: Logger
  work(session: Session): Promise<void>
}): Keeper {
  const { logger } = options
  const closing = Promise.withResolvers<void>()
  let closed = false
  let current: Connection | undefined

  const run = async (): Promise<void> => {
    let backoff = BACKOFF_MS.first
    while (!closed) {
      const connection = connect(options.connectionString, options.name)
      current = connection
      const query: Query = async (text, values) => {
        // The farewell is the last word: a renewal after it would leave a subscriber behind that nobody is.
        if (closed) throw new Error('closed')
        return await connection.query(text, values)
      }
      let openedAt = Number.POSITIVE_INFINITY
      const worked = connection.open().then(async () => {
        openedAt = performance.now()
        await options.work({ query, idle: connection.idle })
      })
      try {
        await Promise.race([worked, connection.ended, closing.promise])
      } catch (err) {
        if (!closed) logger.warn({ err, connection: options.name }, 'control database lost; trying again')
      }
      if (closed) return
      connection.destroy()
      // A server that accepts and then fails at once is no better than one that does not accept.
      if (performance.now() - openedAt > STEADY_MS) backoff = BACKOFF_MS.first
      await Promise.race([sleep(backoff * (0.5 + Math.random() / 2)), closing.promise])
      backoff = Math.min(backoff * 2, BACKOFF_MS.most)
    }
  }
  const running = run()

  return {
    wake: () => current?.wake(),
    async close(last) {
      if (closed) return await running
      closed = true
      if (current && last) await current.farewell(last)
      current?.destroy()
      closing.resolve()
      await running
    },
  }
}

type Connection = ReturnType<typeof connect>

function connect(connectionString: string, name: string) {
  const socket = new Socket()
  const client = new pg.Client({
    connectionString,
    application_name: name,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    // The server's half: a backend that waits for a lock would not notice that its client has gone.
    statement_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
    // Our own, so that it can be destroyed: ending a stalled connection politely would wait for the peer.
    stream: () => socket,
  })
  const ended = Promise.withResolvers<never>()
  ended.promise.catch(() => undefined)
  const bell = createBell()
  client.on('error', ended.reject)
  client.on('end', () => ended.reject(new Error('the connection ended')))
  client.on('notification', bell.ring)
  let isOpen = false

  const query: Query = async (text, values) => (await client.query(text, values)).rows
  return {
    query,
    ended: ended.promise,
    idle: bell.wait,
    wake: bell.ring,
    async open() {
      await client.connect()
      isOpen = true
    },
    async farewell(last: (query: Query) => Promise<unknown>) {
      if (!isOpen) return
      const bound = Promise.withResolvers<void>()
      const timer = setTimeout(bound.resolve, FAREWELL_MS)
      // Best effort: what is not taken back now ends with its lease.
      await Promise.race([last(query).then(() => client.end()), bound.promise, ended.promise]).catch(() => undefined)
      clearTimeout(timer)
    },
    destroy() {
      socket.destroy()
      bell.ring()
    },
  }
}

/** A wait that can be cut short; a ring while nobody waits cuts the next wait short. */
function createBell(): { ring(): void; wait(ms: number): Promise<void> } {
  let rung = false
  let waiting: (() => void) | undefined
  return {
    ring() {
      rung = true
      waiting?.()
    },
    async wait(ms) {
      if (!rung) {
        const heard = Promise.withResolvers<void>()
        const timer = setTimeout(heard.resolve, ms)
        waiting = heard.resolve
        await heard.promise
        clearTimeout(timer)
      }
      rung = false
    },
  }
}
