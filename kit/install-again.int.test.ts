import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../tests/support/infra.ts'
import { installInbox } from './inbox/index.ts'
import { installOutbox } from './outbox/index.ts'
import { installControl, installParticipant } from './ownership/index.ts'
import { installSagas } from './saga/index.ts'
import { fromPg, type Sql } from './sql.ts'

const [watcher, proxy] = ['watcher', 'proxy'].map((kind) => `${kind}_${randomBytes(4).toString('hex')}`) as [
  string,
  string,
]
const INSTALLS: [string, (sql: Sql) => Promise<void>][] = [
  ['the outbox', installOutbox],
  ['the inbox', installInbox],
  ['sagas', installSagas],
  ['sagas in a schema of their own', (sql) => installSagas(sql, 'elsewhere.sagas')],
  ['a participant', (sql) => installParticipant(sql, { contexts: [{ context: 'goods', owner: 'monolith' }] })],
  ['the control database', (sql) => installControl(sql, { watchers: { [watcher]: ['goods'] }, proxies: [proxy] })],
]

let database: Awaited<ReturnType<typeof createTestDatabase>>
let [starting, writing]: [pg.Client, pg.Client] = [] as never
beforeAll(async () => {
  database = await createTestDatabase()
  ;[starting, writing] = [0, 0].map(() => new pg.Client({ connectionString: database.url })) as [pg.Client, pg.Client]
  await Promise.all([starting.connect(), writing.connect()])
  await starting.query(`create role ${watcher}; create role ${proxy}; create schema elsewhere`)
  for (const [, install] of INSTALLS) await install(fromPg(starting))
})
afterAll(async () => {
  await starting.query(`drop owned by ${watcher}, ${proxy}; drop role ${watcher}, ${proxy}`)
  await Promise.all([starting.end(), writing.end()])
  await database.drop()
})

test.each(INSTALLS)('%s, installed again, waits for nobody who writes', async (_, install) => {
  const { rows } = await writing.query<{ name: string }>(
    "select oid::regclass::text as name from pg_class where relkind = 'r' and relnamespace::regnamespace::text in ('banyan', 'elsewhere', 'public')",
  )
  expect(rows.length).toBeGreaterThan(10)
  // As somebody who has written to every table and has not committed yet.
  await writing.query(`begin; lock table ${rows.map(({ name }) => name).join(', ')} in row exclusive mode`)
  try {
    await starting.query("set lock_timeout = '500ms'")
    await install(fromPg(starting))
  } finally {
    await writing.query('rollback')
  }
})
