import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestDatabase } from '../../tests/support/infra.ts'
import { installOutbox } from '../outbox/index.ts'
import { fromPg, type Sql } from '../sql.ts'
import { inTransaction } from '../testing/in-transaction.ts'
import { handleOnce, installInbox } from './index.ts'
import { purgeInbox } from './purge.ts'

let pool: pg.Pool
let drop: () => Promise<void>

beforeEach(async () => {
  const database = await createTestDatabase()
  pool = new pg.Pool({ connectionString: database.url, max: 12 })
  // The database is dropped while the last connections of the pool are still closing.
  pool.on('error', () => undefined)
  drop = async () => {
    await pool.end()
    await database.drop()
  }
})
afterEach(() => drop())

const transaction = <T>(work: (sql: Sql) => Promise<T>): Promise<T> => inTransaction(pool, work)

test('twenty installs at once leave one outbox and one inbox', async () => {
  const sql = fromPg(pool)
  await Promise.all(Array.from({ length: 10 }, () => Promise.all([installOutbox(sql), installInbox(sql)])))
  const { rows } = await pool.query(
    "select table_name from information_schema.tables where table_schema = 'banyan' order by 1",
  )
  expect(rows.map(({ table_name }) => table_name)).toEqual(['inbox', 'inbox_failures', 'outbox', 'owner'])
})

test('handled means handled by that consumer', async () => {
  await installInbox(fromPg(pool))
  const handle = (consumer: string) => transaction((sql) => handleOnce(sql, consumer, 'e1', () => Promise.resolve()))
  expect([await handle('a'), await handle('a'), await handle('b')]).toEqual(['handled', 'duplicate', 'handled'])
})

test('the purge forgets what is too old, so much at a time, and only in one process', async () => {
  await installInbox(fromPg(pool))
  await pool.query(
    `insert into banyan.inbox (consumer, event_id, handled_at)
     select 'a', i::text, now() - i * interval '1 minute' from generate_series(1, 60) i`,
  )
  const halfAnHour = 30 * 60_000
  expect(await purgeInbox(transaction, halfAnHour, 20)).toBe(20)
  while ((await purgeInbox(transaction, halfAnHour, 20)) > 0);
  const { rows } = await pool.query('select count(*)::int as n, max(event_id::int) as oldest from banyan.inbox')
  expect(rows[0]).toEqual({ n: 29, oldest: 29 })

  const other = await pool.connect()
  await other.query("begin; select pg_advisory_xact_lock(hashtext('banyan inbox purge'))")
  expect(await purgeInbox(transaction, 0, 20)).toBe(0)
  await other.query('rollback')
  other.release()
  expect(await purgeInbox(transaction, 0, 20)).toBe(20)
})
