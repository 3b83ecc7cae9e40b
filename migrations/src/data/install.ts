import { readFile } from 'node:fs/promises'
import type { Db, Tx } from './lane.ts'
import { retryLock } from './lock-retry.ts'
import { withConnection } from './open-db.ts'
import { STRUCTURE } from './token.ts'

const ENGINE_SQL = new URL('./engine.sql', import.meta.url)
const REJECT_SQL = new URL('./reject.sql', import.meta.url)

/**
 * Makes the engine's tables and functions in a participating database. Run again, or by several at once, it changes
 * nothing. The role needs CREATE in the schema `banyan` (and on the database, if the schema is not there yet).
 * @throws LockBusy when something of it stayed locked
 */
export async function installEngine(db: Db): Promise<void> {
  const statements = await Promise.all([ENGINE_SQL, REJECT_SQL].map((url) => readFile(url, 'utf8')))
  const install = async (connection: Tx) => {
    await connection.query('begin')
    const { lockTimeoutMs, limitMs } = STRUCTURE
    await connection.query(`set local lock_timeout = ${lockTimeoutMs}; set local statement_timeout = ${limitMs}`)
    // "if not exists" is no protection against two installs at once: both may see nothing and one then fails.
    await connection.query(`select pg_advisory_xact_lock(hashtext('banyan.install'))`)
    const { rows } = await connection.query<{ missing: boolean }>(`select to_regnamespace('banyan') is null as missing`)
    if (rows[0]?.missing) await connection.query('create schema banyan')
    for (const statement of statements) await connection.query(statement)
    await connection.query('commit')
  }
  await retryLock('the tables of the engine', 10_000, () => withConnection(db, install, STRUCTURE.limitMs))
}
