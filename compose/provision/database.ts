/** Databases and roles in one PostgreSQL: idempotent, each role with no more than its process needs. */
import { randomBytes } from 'node:crypto'
import pg from 'pg'

/** Which password a role is to have: a new one at each start, unless somebody keeps them. */
export type PasswordOf = (role: string) => string

export const newRolePassword: PasswordOf = () => randomBytes(18).toString('base64url')

/**
 * Makes a database and the role that owns it, or gives the role a new password where both exist.
 * @param adminUrl a superuser's URL of any database of the server
 * @returns the owner's URL of that database
 */
export async function provisionDatabase(
  adminUrl: string,
  database: string,
  owner: string,
  passwordOf = newRolePassword,
): Promise<string> {
  return await connected(adminUrl, async (client) => {
    const url = await provisionRole(client, adminUrl, owner, passwordOf)
    const known = await client.query('select 1 from pg_database where datname = $1', [database])
    if (known.rowCount === 0) await client.query(`create database ${database} owner ${owner}`)
    await client.query(`revoke all on database ${database} from public`)
    return inDatabase(url, database)
  })
}

/**
 * Makes a role that may log in, or gives it a new password.
 * @returns its URL of the database that `adminUrl` names
 */
export async function provisionRole(
  client: pg.Client,
  adminUrl: string,
  role: string,
  passwordOf = newRolePassword,
): Promise<string> {
  const password = passwordOf(role)
  const known = await client.query('select 1 from pg_roles where rolname = $1', [role])
  const verb = known.rowCount === 0 ? 'create' : 'alter'
  await client.query(
    `${verb} role ${role} login nosuperuser nocreatedb nocreaterole password ${pg.escapeLiteral(password)}`,
  )
  const url = new URL(adminUrl)
  url.username = role
  url.password = password
  return url.href
}

/** @returns The same address with another database in it. */
export function inDatabase(url: string, database: string): string {
  const changed = new URL(url)
  changed.pathname = `/${database}`
  return changed.href
}

/** Runs `work` on a connection of its own, which ends with it. */
export async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
