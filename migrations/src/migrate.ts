// Runs a database's Knex migrations:  node compose/run.mjs migrations/src/migrate.ts <database>
// DATABASE_URL says where, as the role that owns the tables; SCHEMA_DIR holds one folder per database.
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Knex } from 'knex'
import knex from 'knex'

/** Knex's own loader requires files by CommonJS rules; these are TypeScript modules, imported as they are. */
function migrationsOf(directory: string): Knex.MigrationSource<string> {
  return {
    getMigrations: async () => (await readdir(directory)).filter((name) => /^\d+_.*\.ts$/.test(name)).sort(),
    getMigrationName: (name) => name,
    getMigration: (name) => import(pathToFileURL(join(directory, name)).href),
  }
}

async function main(database: string | undefined, env: NodeJS.ProcessEnv): Promise<void> {
  const url = env.DATABASE_URL
  if (!database || !url)
    throw new Error(
      'say which database, and where: DATABASE_URL=postgres://… node migrations/src/migrate.ts <database>',
    )
  const directory = resolve(env.SCHEMA_DIR ?? join(import.meta.dirname, '../shop/schema'), database)
  const db = knex({
    client: 'pg',
    connection: url,
    pool: { min: 0, max: 2 },
    // Neither the statement with its values before an error's message, nor the message twice.
    compileSqlOnError: false,
    log: { warn: () => undefined },
  })
  try {
    const [batch, done] = await db.migrate.latest({ migrationSource: migrationsOf(directory) })
    console.log(done.length ? `${database}: batch ${batch}: ${done.join(', ')}` : `${database}: nothing to migrate`)
  } finally {
    await db.destroy()
  }
}

await main(process.argv[2], process.env).catch(async (error) => {
  // Imported when something has failed only: whoever starts a hundred databases waits for it a hundred times.
  const { messageWithoutValues } = await import('@banyan/kit/service')
  console.error(`migrate: ${error instanceof Error ? messageWithoutValues(error) : error}`)
  process.exitCode = 1
})
