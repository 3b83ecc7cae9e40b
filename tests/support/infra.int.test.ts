import pg from 'pg'
import { expect, test } from 'vitest'
import { createTestDatabase, createTestVhost, postgresAdminUrl, testUnleash } from './infra.ts'

test('a test gets an empty database of its own, and drops it with connections open', async () => {
  const database = await createTestDatabase()
  const client = new pg.Client({ connectionString: database.url })
  client.on('error', () => undefined)
  await client.connect()
  const tables = await client.query("select 1 from pg_tables where schemaname = 'public'")
  expect(tables.rowCount).toBe(0)
  await database.drop()
  const admin = new pg.Client({ connectionString: postgresAdminUrl() })
  await admin.connect()
  const name = new URL(database.url).pathname.slice(1)
  const left = await admin.query('select 1 from pg_database where datname = $1', [name])
  await admin.end()
  expect(left.rowCount).toBe(0)
})

test('a test gets a virtual host of its own', async () => {
  const vhost = await createTestVhost()
  expect(new URL(vhost.url).pathname).toMatch(/^\/test-/)
  await vhost.drop()
})

test('the flag server answers the client token', async () => {
  const { url, clientToken } = testUnleash()
  const response = await fetch(`${url}/client/features`, { headers: { authorization: clientToken } })
  expect(response.status).toBe(200)
})
