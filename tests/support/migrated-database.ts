import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createTestDatabase, type Disposable } from './infra.ts'

const ROOT = join(import.meta.dirname, '../..')

/**
 * @param schema a folder of `migrations/shop/schema`
 * @returns A new database with its tables: a copy of the one that the embedded PostgreSQL has, or else migrated here
 */
export async function createMigratedDatabase(schema: string): Promise<Disposable> {
  const made = process.env.TEST_MADE_DATABASES
  if (made) return await createTestDatabase(`${made}${schema}`)
  const database = await createTestDatabase()
  await promisify(execFile)(process.execPath, [join(ROOT, 'migrations/src/migrate.ts'), schema], {
    env: { DATABASE_URL: database.url, SCHEMA_DIR: join(ROOT, 'migrations/shop/schema') },
  })
  return database
}
