import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Log } from '../broker/port.ts'
import { fromPg, type Sql } from '../sql.ts'

export interface LeaderOptions {
  /** Direct: a pooler that shares sessions would share, or lose, the lock. */
  connectionString: string
  /** What is led: of all who name the same in one database, one leads. */
  name: string
  log: Log
  /** Runs while this session holds the lock, and ends when `signal` aborts. */
  lead(sql: Sql, signal: AbortSignal): Promise<void>
  /** Called each second with the session, leading or not. */
  each(sql: Sql): Promise<void>
}

const TRY_EVERY_MS = 250
const PING_MS = 1_000
// A stopped process (SIGSTOP, a dead machine) sends nothing: the server then ends its session, and with it the lock,
// before the five seconds in which another has to take over are up.
const IDLE_TIMEOUT_MS = 3_000

/** Keeps trying to lead until `signal` aborts; whatever happens to the session, it starts again with a new one. */
export async function runForLeader(options: LeaderOptions, signal: AbortSignal): Promise<void> {
  let failures = 0
  while (!signal.aborted) {
    try {
      await session(options, signal, () => {
        failures = 0
      })
    } catch (error) {
      if (signal.aborted) break
      options.log.warn({ err: error, name: options.name }, 'leader session lost; starting another')
      await delay(Math.min(2_000, 100 * 2 ** failures++), undefined, { signal }).catch(() => undefined)
    }
  }
}

async function session(options: LeaderOptions, stop: AbortSignal, connected: () => void): Promise<void> {
  const client = new pg.Client({
    connectionString: options.connectionString,
    application_name: `banyan ${options.name}`,
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
    keepAlive: true,
    options: `-c idle_in_transaction_session_timeout=2s -c idle_session_timeout=${IDLE_TIMEOUT_MS}`,
  })
  const lost = new AbortController()
  client.on('error', (error) => lost.abort(error))
  client.on('end', () => lost.abort(new Error('the connection ended')))
  let ticking: Promise<void> | undefined
  try {
    await client.connect()
    connected()
    const sql = fromPg(client)
    const signal = AbortSignal.any([stop, lost.signal])
    ticking = tick(options, sql, lost, signal)
    while (!(await tryLock(sql, options.name))) {
      await delay(TRY_EVERY_MS, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) break
    }
    if (!signal.aborted) await options.lead(sql, signal)
    lost.signal.throwIfAborted()
  } finally {
    lost.abort(new Error('the session is over'))
    await ticking
    await client.end().catch((error) => options.log.debug({ err: error }, 'closing a leader session failed'))
  }
}

async function tryLock(sql: Sql, name: string): Promise<boolean> {
  const { rows } = await sql.raw('select pg_try_advisory_lock(hashtextextended(?, 0)) as locked', [`banyan ${name}`])
  return rows[0].locked
}

/** The ping that keeps the session from being idle is a query that is wanted anyway. */
async function tick(options: LeaderOptions, sql: Sql, lost: AbortController, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await options.each(sql)
    } catch (error) {
      lost.abort(error)
    }
    await delay(PING_MS, undefined, { signal }).catch(() => undefined)
  }
}
