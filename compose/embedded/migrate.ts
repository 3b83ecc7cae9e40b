/** Runs the Knex migrations of a database, in a process of their own. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'

/**
 * @param database whose folder of `migrations/shop/schema` to run
 * @param ownerUrl the database as the role that owns its tables
 * @throws with what the runner said
 */
export async function migrate(root: string, database: string, ownerUrl: string): Promise<void> {
  const child = spawn(process.execPath, [join(root, 'migrations/src/migrate.ts'), database], {
    env: { PATH: process.env.PATH ?? '', DATABASE_URL: ownerUrl, SCHEMA_DIR: join(root, 'migrations/shop/schema') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part) => {
      said += part
    })
  }
  const code = await new Promise((resolve) => child.on('close', resolve))
  if (code !== 0) throw new Error(`the migrations of ${database} ended with ${code}:\n${said}`)
}
