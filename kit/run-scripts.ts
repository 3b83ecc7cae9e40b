import { readFileSync } from 'node:fs'
import type { Sql } from './sql.ts'

/**
 * Runs SQL files as one transaction (or within the caller's), while no other process of this database does: statements
 * with `if not exists` and `or replace` fail when two run them at the same moment.
 */
export async function runScripts(sql: Sql, files: readonly URL[]): Promise<void> {
  const scripts = files.map((file) => readFileSync(file, 'utf8'))
  await sql.raw(["select pg_advisory_xact_lock(hashtext('banyan.install'));", ...scripts].join('\n'))
}
