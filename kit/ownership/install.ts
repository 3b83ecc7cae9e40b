/** Creates the tables of ownership. Run again, nothing changes. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Sql } from '../sql.ts'

/** Two installs at once would both find nothing and collide on the catalogue. */
const ALONE = "select pg_advisory_xact_lock(hashtext('banyan.install'))"

export type ControlRoles = {
  /**
   * Existing roles for services and workers, and which services each may tell instances of, by the name that its
   * processes announce. They may read ownership and instances, write those instances and the subscriptions that they
   * made themselves, nothing else. A role that two services share lets each stand for the other: give each its own.
   */
  watchers?: Readonly<Record<string, readonly string[]>>
  /**
   * Existing roles for proxies: they subscribe likewise and announce nothing; their operators' kill switch sets who
   * answers reads, and that and recordings go into the audit.
   */
  proxies?: readonly string[]
}

/**
 * Creates the control database's tables (`control.sql`).
 * @param sql A connection or transaction as the role that shall own them; row policies do not bind it.
 */
export async function installControl(sql: Sql, { watchers = {}, proxies = [] }: ControlRoles = {}): Promise<void> {
  await sql.raw(`${ALONE};\n${script('control.sql')}`)
  for (const role of proxies) await grant(sql, 'watcher.sql', role, [])
  for (const [role, services] of Object.entries(watchers)) await grant(sql, 'watcher.sql', role, services)
  for (const role of proxies) await grant(sql, 'proxy.sql', role)
}

/** One statement a line, so that each takes the role's name as a binding. What an earlier version granted goes first. */
async function grant(sql: Sql, file: string, role: string, announces?: readonly string[]): Promise<void> {
  for (const statement of script(file).trim().split('\n')) await sql.raw(statement, [role])
  if (announces) await sql.raw('select banyan.let_announce(?, ?)', [role, announces])
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
