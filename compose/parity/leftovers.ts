/**
 * What a run makes on servers that are not its own stays there when it is killed. Each run says that it lives, and takes
 * away what is of runs that live no more.
 */
import pg from 'pg'
import { brokerApi } from '../provision/broker.ts'
import { connected } from '../provision/database.ts'
import { begunAt, MARK, RUN_NAME } from './run-name.ts'
import { dropAccounts } from './world-accounts.ts'

/** After which an account without a connection is nobody's: its worlds connect within minutes. */
const AGE_MS = 3_600_000

/**
 * Takes away what is left on servers that this run has not started; what cannot be taken away stays, and is told.
 * @param databaseUrl of such a server, a superuser's @param api of such a broker
 */
export async function sweepLeftovers(
  databaseUrl: string | undefined,
  api: string | undefined,
  announce: (line: string) => void,
): Promise<void> {
  try {
    const swept = [
      ...(databaseUrl === undefined ? [] : await sweepDatabases(databaseUrl)),
      ...(api === undefined ? [] : await sweepAccounts(api)),
    ]
    if (swept.length > 0) announce(`taken away, of runs that were killed: ${swept.join(', ')}`)
  } catch (error) {
    announce(`what killed runs have left cannot be taken away: ${(error as Error).message}`)
  }
}

/**
 * Says that a run lives: as long as this process does, or until the returned function is called.
 * @param run before it makes its first database
 */
export async function sayAlive(adminUrl: string, run: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: adminUrl, application_name: run })
  // Without it the run's other connections still speak for it.
  client.on('error', () => undefined)
  await client.connect()
  return () => client.end()
}

/**
 * Drops the databases of runs that nobody is connected for, neither in one of them nor to say so.
 * @returns their names
 */
export async function sweepDatabases(adminUrl: string): Promise<string[]> {
  return await connected(adminUrl, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `with made as (
         select datname::text as name, substring(datname from $1) as run from pg_database
         where datname ~ $1 and shobj_description(oid, 'pg_database') = $2)
       select name from made where not exists (
         select from pg_stat_activity a where a.application_name = run or starts_with(a.datname, run || '_'))
       order by name`,
      [RUN_NAME, MARK],
    )
    const dropped: string[] = []
    for (const { name } of rows) {
      // Not by force: whoever has come in the meantime keeps it, and the next run looks again.
      const done = await client.query(`drop database if exists ${pg.escapeIdentifier(name)}`).catch(() => undefined)
      if (done) dropped.push(name)
    }
    return dropped
  })
}

/**
 * Deletes the accounts of runs, and their virtual hosts, in which nobody has a connection.
 * @param api the management API's base URL with an administrator in it
 * @param olderThanMs a younger one may not have connected yet
 * @returns their names
 */
export async function sweepAccounts(api: string, olderThanMs: number = AGE_MS): Promise<string[]> {
  const users = (await asked(api, 'users')) as { name: string; tags: string | string[] }[]
  const old = users.filter(
    ({ name, tags }) =>
      [tags].flat().includes(MARK) && new RegExp(RUN_NAME).test(name) && Date.now() - begunAt(name) >= olderThanMs,
  )
  const left: { name: string; vhost: string }[] = []
  for (const { name } of old) {
    const connections = (await asked(api, `vhosts/${name}/connections`)) as unknown[] | undefined
    if (!connections?.length) left.push({ name, vhost: name })
  }
  await dropAccounts(api, left)
  return left.map(({ name }) => name)
}

async function asked(api: string, path: string): Promise<unknown> {
  const response = await brokerApi(api, 'GET', path)
  if (response.status === 404) return undefined
  if (!response.ok) throw new Error(`GET ${path}: RabbitMQ answered ${response.status}`)
  return await response.json()
}
