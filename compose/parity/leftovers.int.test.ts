import { randomBytes } from 'node:crypto'
import amqp from 'amqplib'
import pg from 'pg'
import { afterAll, it } from 'vitest'
import { postgresAdminUrl, rabbitApi } from '../../tests/support/infra.ts'
import { accountUrl, brokerApi, brokerDefinitions, importDefinitions } from '../provision/broker.ts'
import { connected, inDatabase } from '../provision/database.ts'
import { sayAlive, sweepAccounts, sweepDatabases } from './leftovers.ts'
import { MARK } from './run-name.ts'
import { dropAccounts, worldAccount } from './world-accounts.ts'

const made: string[] = []
const admin = (statement: string) => connected(postgresAdminUrl(), (client) => client.query(statement))
afterAll(async () => {
  for (const name of made) await admin(`drop database if exists ${name} with (force)`)
})

/** As a run names what it makes; other tests' runs are under way at the same servers, and stay. */
const runName = (begun: number) => `parity_${randomBytes(3).readUIntBE(0, 3)}_${begun.toString(36)}`
async function makeDatabase(name: string, marked = true): Promise<string> {
  made.push(name)
  await admin(`create database ${name} template template0`)
  if (marked) await admin(`comment on database ${name} is '${MARK}'`)
  return name
}

// Each with the `expect` of its own context: the global one is that of the test that began last.
it.concurrent('drops the databases of a run that lives no more, and nobody else’s', async ({ expect }) => {
  const [killed, alive, used] = [runName(0), runName(0), runName(0)]
  const end = await sayAlive(postgresAdminUrl(), alive)
  await makeDatabase(`${killed}_seed`)
  const unmarked = await makeDatabase(`${killed}_mine`, false)
  const kept = await makeDatabase(`${alive}_seed`)
  // Whoever is killed leaves processes that take a while to end: all of its databases wait for them.
  const making = await sayAlive(postgresAdminUrl(), used)
  const idle = await makeDatabase(`${used}_seed`)
  const inUse = await makeDatabase(`${used}_shop`)
  const busy = new pg.Client({ connectionString: inDatabase(postgresAdminUrl(), inUse) })
  await busy.connect()
  await making()
  await sweepDatabases(postgresAdminUrl())
  expect(await stillThere()).toEqual([unmarked, kept, idle, inUse].sort())

  await end()
  await busy.end()
  // A connection that was ended is seen for a moment longer.
  const afterSweep = async () => {
    await sweepDatabases(postgresAdminUrl())
    return await stillThere()
  }
  await expect.poll(afterSweep, { timeout: 15_000 }).toEqual([unmarked])

  async function stillThere(): Promise<string[]> {
    const { rows } = await admin(`select datname from pg_database where datname = any ('{${made}}')`)
    return rows.map(({ datname }) => String(datname)).sort()
  }
})

it.concurrent('deletes the accounts and virtual hosts of such a run', async ({ expect }) => {
  const hour = 3_600_000
  const [killed, used, young] = [runName(1), runName(1), runName(Date.now() - hour / 2)].map((run) =>
    worldAccount(run, 'shop'),
  ) as [Account, Account, Account]
  const accounts = [killed, used, young]
  const unmarked = { ...worldAccount(runName(1), 'shop'), tags: [] }
  for (const account of [...accounts, unmarked])
    await importDefinitions(rabbitApi(), brokerDefinitions([account], account.vhost))
  const connection = await amqp.connect(
    accountUrl(process.env.TEST_AMQP_URL ?? '', used.name, used.password, used.vhost),
  )
  try {
    await expect.poll(() => asked(`vhosts/${used.vhost}/connections`), { timeout: 15_000 }).toHaveLength(1)
    const swept = await sweepAccounts(rabbitApi())
    expect([...accounts, unmarked].filter(({ name }) => swept.includes(name))).toEqual([killed])
    for (const { name, vhost } of [used, young, unmarked])
      expect([await asked(`users/${name}`), await asked(`vhosts/${vhost}`)]).toMatchObject([{ name }, { name: vhost }])
    expect((await brokerApi(rabbitApi(), 'GET', `vhosts/${killed.vhost}`)).status).toBe(404)
  } finally {
    await connection.close()
    await dropAccounts(rabbitApi(), [...accounts, unmarked])
  }
})

type Account = ReturnType<typeof worldAccount>
const asked = async (path: string) => await (await brokerApi(rabbitApi(), 'GET', path)).json()
