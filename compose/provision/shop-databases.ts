/** The shop's databases: who owns, who uses, who moves them. */
import { readFileSync } from 'node:fs'
import {
  connected,
  inDatabase,
  newRolePassword,
  type PasswordOf,
  provisionDatabase,
  provisionRole,
} from './database.ts'
import { WATCHERS, watcherOf } from './services.ts'

/** A database by its three roles. */
export type SideUrls = { owner: string; app: string; mover: string }

/** Every URL a process of the stack may get; each with a role of its own. */
export type DatabaseUrls = {
  control: string
  /** @param database of the monolith or a service, which then announces itself and no other */
  watch(database: string): string
  proxy: string
  /** @param database `shop`, or a service's @throws for one that was not made */
  side(database: string): SideUrls
}

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
  const control = await provisionControl(adminUrl)
  const mover = await provisionMover(adminUrl, names)
  return {
    ...control,
    side(database) {
      const found = sides.get(database)
      if (!found) throw new Error(`this stack has no database "${database}"`)
      return { ...found, mover: inDatabase(mover, database) }
    },
  }
}

/** A database that takes part in moves: its owner runs migrations, `<name>_app` gets rights from those migrations. */
export async function provisionSide(
  adminUrl: string,
  name: string,
  passwordOf = newRolePassword,
): Promise<{ owner: string; app: string }> {
  const owner = await provisionDatabase(adminUrl, name, `${name}_owner`, passwordOf)
  const here = inDatabase(adminUrl, name)
  const app = await connected(here, async (client) => {
    const url = await provisionRole(client, here, `${name}_app`, passwordOf)
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

/** The database that says who owns what. */
export async function provisionControl(
  adminUrl: string,
  passwordOf = newRolePassword,
): Promise<Pick<DatabaseUrls, 'control' | 'watch' | 'proxy'>> {
  const control = await provisionDatabase(adminUrl, 'banyan_control', 'banyan_control', passwordOf)
  return { control, ...(await provisionWatchers(adminUrl, control, passwordOf)) }
}

/** Who follows ownership: the proxies, and each other process by a role of its own. What each may do says the kit. */
async function provisionWatchers(
  adminUrl: string,
  controlUrl: string,
  passwordOf: PasswordOf,
): Promise<Pick<DatabaseUrls, 'watch' | 'proxy'>> {
  const here = inDatabase(adminUrl, 'banyan_control')
  const roles = [...WATCHERS.map(({ role }) => role), 'banyan_proxy']
  const urls = await connected(here, async (client) => {
    const made = new Map<string, string>()
    for (const role of roles) made.set(role, await provisionRole(client, here, role, passwordOf))
    await client.query(`grant connect on database banyan_control to ${roles.join(', ')}`)
    return made
  })
  await connected(controlUrl, async (client) => {
    await client.query(kitSql('control'))
    for (const role of roles) await client.query(kitSql('watcher').replaceAll('??', role))
    for (const { role, process } of WATCHERS)
      await client.query('select banyan.let_announce($1, $2)', [role, [process]])
    await client.query(kitSql('proxy').replaceAll('??', 'banyan_proxy'))
  })
  return { watch: (database) => urls.get(watcherOf(database))!, proxy: urls.get('banyan_proxy')! }
}

/** The kit's own text: what adopters get by `banyan init` is what the shop gets. */
function kitSql(name: string): string {
  return readFileSync(new URL(`../../kit/ownership/${name}.sql`, import.meta.url), 'utf8')
}

/** The mover works in all of them: as a member of the tables' owners, and past their triggers where it applies. */
export async function provisionMover(
  adminUrl: string,
  databases: readonly string[],
  passwordOf = newRolePassword,
): Promise<string> {
  return await connected(adminUrl, async (client) => {
    const url = await provisionRole(client, adminUrl, 'banyan_mover', passwordOf)
    const owners = databases.map((name) => `${name}_owner`)
    await client.query(`grant ${owners.join(', ')} to banyan_mover`)
    await client.query('grant set on parameter session_replication_role, deadlock_timeout to banyan_mover')
    await client.query(`grant connect on database ${databases.join(', ')} to banyan_mover`)
    return url
  })
}
