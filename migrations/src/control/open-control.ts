import pg from 'pg'
import type { OwnSockets } from '../own-sockets.ts'

/**
 * Opens the mover's pool in the control database. The address must be PostgreSQL's own; an idle transaction ends after
 * 2 s, so that a stopped process keeps no row of a context locked (protocol rule 23). Its statements are small: one that
 * a lock or a silent server holds up ends, and what it was part of is decided anew. Its commits are synchronous, whatever
 * the server's default: a token or a decision that a crash takes back would be given out, or made, a second time.
 * @param sockets where its connections are kept, to be destroyed when the lead is lost
 */
export function openControl(
  connectionString: string,
  onIdleBreak: (error: Error) => void,
  sockets?: OwnSockets,
): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    max: 8,
    application_name: 'banyan mover',
    connectionTimeoutMillis: 5000,
    keepAlive: true,
    options: '-c idle_in_transaction_session_timeout=2s -c statement_timeout=3s -c synchronous_commit=on',
    query_timeout: 4_000,
    ...(sockets ? { stream: sockets.stream } : {}),
  })
  pool.on('error', onIdleBreak)
  return pool
}
