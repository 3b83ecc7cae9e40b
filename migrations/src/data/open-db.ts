import pg from 'pg'
import type { OwnSockets } from '../own-sockets.ts'
import type { Db, Tx } from './lane.ts'

/** Under these settings, and no others, does a value's text mean the same on both sides (rule 4). */
export const TEXT_SETTINGS: Readonly<Record<string, string>> = {
  search_path: 'pg_catalog, pg_temp',
  datestyle: 'ISO, MDY',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  lc_monetary: 'C',
}

/**
 * Opens a pool for the mover. The address must be PostgreSQL's own: a pooler would hand the session's settings and
 * locks to strangers. An idle transaction ends after 2 s, so that a stopped process keeps no lock (rule 23).
 * @param url a connection string as the mover's role
 * @param options name: shown in pg_stat_activity; max: connections, 6 where absent; sockets: where they are kept, to be
 *   destroyed when the lead is lost
 */
export function openDb(url: string, options: { name: string; max?: number; sockets?: OwnSockets }): Db {
  const settings = {
    ...TEXT_SETTINGS,
    idle_in_transaction_session_timeout: '2s',
    // Whatever the server's default: a fence that a crash takes back would leave two sides open.
    synchronous_commit: 'on',
    // A policy that hides rows fails what reads them: a copy would leave them out, and a comparison would not miss them.
    row_security: 'off',
    jit: 'off',
  }
  const pool = new pg.Pool({
    connectionString: url,
    application_name: options.name,
    max: options.max ?? 6,
    connectionTimeoutMillis: 5000,
    keepAlive: true,
    ...(options.sockets ? { stream: options.sockets.stream } : {}),
    options: Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value.replaceAll(' ', '\\ ')}`)
      .join(' '),
  })
  // A connection that breaks while it lies idle is replaced at the next use; that use reports what is still wrong.
  pool.on('error', ignoreIdleBreak)
  return pool
}

/** A database did not answer in time; what became of the transaction is not known. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered'
  readonly code = 'unanswered'
}

/** The server, which is told the same limit, ends the statement itself; this is for one that answers no more. */
const SERVER_FIRST_MS = 250
/** What a look at a catalog takes at the most; a server that answers no more fails it. */
export const ASK_MS = 5_000

/**
 * Lends a connection. One that broke, or whose work failed, is closed rather than lent again.
 * @param limitMs how long the work may take before the connection is cut under it; no bound where absent
 * @throws Unanswered; what `work` throws
 */
export async function withConnection<T>(
  db: Db,
  work: (connection: Tx) => Promise<T>,
  limitMs = Number.POSITIVE_INFINITY,
): Promise<T> {
  const connection = await db.connect()
  let broken: Error | undefined
  const note = (error: Error) => {
    broken ??= error
  }
  connection.on('error', note)
  const cut = () => {
    broken = new Unanswered(`a database did not answer within ${limitMs} ms`)
    void connection.end().catch(note)
  }
  const timer = Number.isFinite(limitMs) ? setTimeout(cut, limitMs + SERVER_FIRST_MS) : undefined
  try {
    return await work(connection)
  } catch (error) {
    if (broken instanceof Unanswered) throw broken
    broken ??= error instanceof Error ? error : new Error(String(error))
    throw error
  } finally {
    clearTimeout(timer)
    connection.off('error', note)
    connection.release(broken)
  }
}

/** Runs a small statement outside of any transaction of ours; a server that answers no more fails it. */
export async function ask<R extends pg.QueryResultRow>(db: Db, text: string, values: unknown[]) {
  const query: pg.QueryConfig & { query_timeout: number } = { text, values, query_timeout: ASK_MS }
  return db.query<R>(query)
}

function ignoreIdleBreak(error: Error): void {
  void error
}
