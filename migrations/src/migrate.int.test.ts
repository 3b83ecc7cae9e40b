import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase } from '../../tests/support/infra.ts'

let database: Awaited<ReturnType<typeof createTestDatabase>>
let folder: string
beforeAll(async () => {
  database = await createTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'banyan-migrate-'))
  await mkdir(join(folder, 'letters'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
  await database.drop()
})

/** @returns all that a migration which inserts these rows into (number int, name text unique) makes the runner say */
async function saidOf(rows: object[]): Promise<string> {
  const source = `export async function up(knex) {
    await knex.schema.createTable('people', (t) => { t.integer('number'); t.text('name').unique() })
    // The operator of jsonb is the one place where Knex would write a value into the statement that it tells.
    const insert = "insert into people (name, number) select ?, ?::int where not '{}'::jsonb \\\\? 'a'"
    for (const { number = null, name = null } of ${JSON.stringify(rows)}) await knex.raw(insert, [name, number])
  }\nexport const down = async () => undefined\n`
  await writeFile(join(folder, 'letters/001_people.ts'), source)
  const env = { PATH: process.env.PATH, DATABASE_URL: database.url, SCHEMA_DIR: folder }
  const run = promisify(execFile)(process.execPath, [join(import.meta.dirname, 'migrate.ts'), 'letters'], { env })
  return run.then(
    () => 'it succeeded',
    (error: { stdout: string; stderr: string }) => error.stdout + error.stderr,
  )
}

it('says why a migration failed, and no value of a row', async () => {
  const twice = await saidOf([{ name: 'ada@secret.example' }, { name: 'ada@secret.example' }])
  expect(twice).toContain('duplicate key value violates unique constraint')
  const mistaken = await saidOf([{ number: 'a-secret-number' }])
  expect(mistaken).toContain('SQLSTATE 22P02')
  expect(twice + mistaken).not.toContain('secret')
})
