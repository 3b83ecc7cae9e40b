/** The shop's databases: who owns, who uses, who moves them. */
import { readFileSync } from 'node:fs'
import { connected, inDatabase, provisionDatabase, provisionRole } from './database.ts'

/** A database by its three roles. */
export type SideUrls = { owner: string; app: string; mover: string }

/** Every URL a process of the stack may get; each with a role of its own. */
export type DatabaseUrls = {
  control: string
  watch: string
  /** @param database `shop`, or a service's @throws for one that was not made */
  side(database: string): SideUrls
}

const CONTROL_TABLES = new URL('../../kit/ownership/control.sql', import.meta.url)

/**
 * Makes databases `shop` and `banyan_control` and those given, with their roles; run again, it only renews the
 * passwords.
 * @param adminUrl a superuser's URL
 * @param services names of the services' databases
 */
export async function provisionShopDatabases(adminUrl: string, services: readonly string[]): Promise<DatabaseUrls> {
  const names = ['shop', ...services]
  const sides = new Map<string, Omit<SideUrls, 'mover'>>()
  for (const name of names) sides.set(name, await provisionSide(adminUrl, name))
  const control = await provisionDatabase(adminUrl, 'banyan_control', 'banyan_control')
  const watch = await provisionWatch(adminUrl, control)
  const mover = await provisionMover(adminUrl, names)
  return {
    control,
    watch,
    side(database) {
      const found = sides.get(database)
      if (!found) throw new Error(`this stack has no database "${database}"`)
      return { ...found, mover: inDatabase(mover, database) }
    },
  }
}

/** A database that takes part in moves: its owner runs migrations, `<name>_app` gets rights from those migrations. */
async function provisionSide(adminUrl: string, name: string): Promise<{ owner: string; app: string }> {
  const owner = await provisionDatabase(adminUrl, name, `${name}_owner`)
  const here = inDatabase(adminUrl, name)
  const app = await connected(here, async (client) => {
    const url = await provisionRole(client, here, `${name}_app`)
    await client.query(`grant connect on database ${name} to ${name}_app`)
    await client.query(`alter schema public owner to ${name}_owner`)
    await client.query('revoke create on schema public from public')
    await client.query(`grant usage on schema public to ${name}_app`)
    await client.query(`create schema if not exists banyan authorization ${name}_owner`)
    await client.query(`grant usage on schema banyan to ${name}_app`)
    return url
  })
  return { owner, app }
}

/** Proxies and services read what is true, and write what they have seen of it and where they are. */
async function provisionWatch(adminUrl: string, controlUrl: string): Promise<string> {
  await connected(controlUrl, (client) => client.query(readFileSync(CONTROL_TABLES, 'utf8')))
  const here = inDatabase(adminUrl, 'banyan_control')
  return await connected(here, async (client) => {
    const url = await provisionRole(client, here, 'banyan_watch')
    await client.query('grant connect on database banyan_control to banyan_watch')
    await client.query('grant usage on schema banyan to banyan_watch')
    await client.query('grant select on all tables in schema banyan to banyan_watch')
    // What `banyan init` adds later is read as well.
    await client.query(
      'alter default privileges for role banyan_control in schema banyan grant select on tables to banyan_watch',
    )
    await client.query('grant insert, update, delete on banyan.subscribers, banyan.instances to banyan_watch')
    // The proxy's kill switch is immediate: it sets who answers reads, and nothing else of the row.
    await client.query('grant update (reads) on banyan.contexts to banyan_watch')
    // The console asks like everybody else: by an intent, which the mover may refuse.
    await client.query('grant insert on banyan.intents, banyan.audit to banyan_watch')
    return url
  })
}

/** The mover works in all of them: as a member of the tables' owners, and past their triggers where it applies. */
async function provisionMover(adminUrl: string, databases: readonly string[]): Promise<string> {
  return await connected(adminUrl, async (client) => {
    const url = await provisionRole(client, adminUrl, 'banyan_mover')
    const owners = databases.map((name) => `${name}_owner`)
    await client.query(`grant ${owners.join(', ')} to banyan_mover`)
    await client.query('grant set on parameter session_replication_role, deadlock_timeout to banyan_mover')
    await client.query(`grant connect on database ${databases.join(', ')} to banyan_mover`)
    return url
  })
}
