import type { Pool, PoolClient } from 'pg'

/** Runs the work in one transaction of the control database; nothing of it stays when it throws. */
export async function inTransaction<T>(pool: Pool, work: (db: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let failure: Error | undefined
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error))
    throw error
  } finally {
    // A connection whose work failed is closed, which rolls back, rather than lent again.
    client.release(failure)
  }
}
