import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ControlRoles, fromPg, installControl } from '@banyan/kit/ownership'
import pg, { type ClientBase } from 'pg'
import { addContexts } from './contexts.ts'

/**
 * Makes the control database what every process expects: the shared tables, the mover's own, one row per planned
 * context. Run again, it changes nothing but rights that a role has and is not to have.
 * @returns the contexts that were new
 */
export async function installControlDatabase(
  db: ClientBase,
  contexts: readonly string[],
  roles: ControlRoles,
): Promise<string[]> {
  await installControl(fromPg(db), roles)
  for (const file of ['engine.sql', 'console.sql'])
    await db.query(await readFile(join(import.meta.dirname, file), 'utf8'))
  for (const role of roles.proxies ?? [])
    await db.query(`grant execute on function banyan.console_state() to ${pg.escapeIdentifier(role)}`)
  return addContexts(db, contexts)
}
