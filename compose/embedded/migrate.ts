/** What runs to its end before the shop's processes start: Knex migrations, and `banyan init`. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'

/**
 * Runs the Knex migrations of a database.
 * @param database whose folder of `migrations/shop/schema` to run
 * @param ownerUrl the database as the role that owns its tables
 * @throws with what the runner said
 */
export async function migrate(root: string, database: string, ownerUrl: string): Promise<void> {
  const env = { DATABASE_URL: ownerUrl, SCHEMA_DIR: join(root, 'migrations/shop/schema') }
  await runToEnd(`the migrations of ${database}`, join(root, 'migrations/src/migrate.ts'), [database], env)
}

/** Whose operators see and ask by the console. */
const ROLES = ['--proxies', 'banyan_proxy']

/**
 * Runs `banyan init`: the control database's tables and one row per planned context.
 * @param controlUrl `banyan_control` as its owner
 * @param plans the folder of the plans
 */
export async function initControl(root: string, controlUrl: string, plans: string): Promise<void> {
  const env = { CONTROL_DATABASE_URL: controlUrl, BANYAN_PLANS: plans }
  await runToEnd('banyan init', join(root, 'migrations/src/cli.ts'), ['init', ...ROLES], env)
}

async function runToEnd(what: string, file: string, args: string[], env: Record<string, string>): Promise<void> {
  const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env
  const child = spawn(process.execPath, [file, ...args], {
    env: { PATH, NODE_COMPILE_CACHE, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part) => {
      said += part
    })
  }
  const code = await new Promise((resolve) => child.on('close', resolve))
  if (code !== 0) throw new Error(`${what} ended with ${code}:\n${said}`)
}
