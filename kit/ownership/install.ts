/** Creates the tables of ownership. Run again, nothing changes. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Sql } from '../sql.ts'

/** Two installs at once would both find nothing and collide on the catalogue. */
const ALONE = "select pg_advisory_xact_lock(hashtext('banyan.install'))"

/**
 * Creates the control database's tables (`control.sql`).
 * @param sql A connection or transaction as the role that shall own them.
 * @param options.watchers Existing roles for services and workers: they may read ownership and instances and write
 *   their own subscriptions and heartbeats, nothing else.
 * @param options.proxies Existing roles for proxies: besides, their operators' kill switch sets who answers reads, and
 *   that and recordings go into the audit.
 */
export async function installControl(
  sql: Sql,
  options: { watchers?: readonly string[]; proxies?: readonly string[] } = {},
): Promise<void> {
  await sql.raw(`${ALONE};\n${script('control.sql')}`)
  const { watchers = [], proxies = [] } = options
  for (const role of [...watchers, ...proxies]) await grant(sql, 'watcher.sql', role)
  for (const role of proxies) await grant(sql, 'proxy.sql', role)
}

/** One statement a line, so that each takes the role's name as a binding. What an earlier version granted goes first. */
async function grant(sql: Sql, file: string, role: string): Promise<void> {
  for (const statement of script(file).trim().split('\n')) await sql.raw(statement, [role])
}

/**
 * Creates `banyan.owner` and `banyan.owner_of` in a participating database and names the contexts that live there.
 * @param options.contexts Each with its owner *as seen in this database*; one that is already known stays as it is.
 * @param options.applications Existing roles that shall be able to ask; they may read, never change.
 */
export async function installParticipant(
  sql: Sql,
  options: {
    contexts: readonly { context: string; owner: 'monolith' | 'service' }[]
    applications?: readonly string[]
  },
): Promise<void> {
  await sql.raw(`${ALONE};\n${script('participant.sql')}`)
  for (const { context, owner } of options.contexts)
    await sql.raw('insert into banyan.owner (context, owner) values (?, ?) on conflict (context) do nothing', [
      context,
      owner,
    ])
  for (const role of options.applications ?? []) await sql.raw('grant usage on schema banyan to ??', [role])
}

/** Beside this file in the sources and in the packed package alike. */
function script(name: string): string {
  return readFileSync(join(import.meta.dirname, name), 'utf8')
}
