/** A transaction as the kit's users have one, on node-postgres. */
import type pg from 'pg'
import { fromPg, type Sql } from '../sql.ts'

/** @param work gets the transaction; what it throws rolls back and is thrown on */
export async function inTransaction<T>(pool: pg.Pool, work: (sql: Sql) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const result = await work(fromPg(client))
    await client.query('commit')
    return result
  } catch (error) {
    // A connection that broke has rolled back already; the error that tells of it is the first one.
    await client.query('rollback').catch(() => undefined)
    throw error
  } finally {
    client.release()
  }
}
