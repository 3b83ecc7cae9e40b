/** What the Jobs of k8s/ and the start of a Compose stage run, against a real PostgreSQL. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { postgresAdminUrl } from '../../tests/support/infra.ts'
import { connected, inDatabase } from './database.ts'
import { newSecrets, passwordVariable } from './secrets.ts'
import { WATCHERS } from './services.ts'

const run = promisify(execFile)
const CLI = join(import.meta.dirname, 'cli.ts')
const DATABASE = 'provisioned_goods'
const [OWNER, APP, MOVER] = [`${DATABASE}_owner`, `${DATABASE}_app`, 'banyan_mover']
const PASSWORDS = { [OWNER]: "it's the owner", [APP]: 'app-of-goods', [MOVER]: 'mover-of-all' }
const CONTROL_ROLES = ['banyan_control', ...WATCHERS.map(({ role }) => role), 'banyan_proxy']
const CONTROL_PASSWORDS = Object.fromEntries(CONTROL_ROLES.map((role) => [role, `of-${role}`]))

const provision = (passwords: Record<string, string>, ...args: string[]) =>
  run(process.execPath, [CLI, ...args], {
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: postgresAdminUrl(),
      ...Object.fromEntries(Object.entries(passwords).map(([role, password]) => [passwordVariable(role), password])),
    },
  })
const as = <T>(role: string, work: Parameters<typeof connected<T>>[1], database = DATABASE) => {
  const url = new URL(inDatabase(postgresAdminUrl(), database))
  url.username = role
  url.password = encodeURIComponent({ ...PASSWORDS, ...CONTROL_PASSWORDS }[role] ?? '')
  return connected(url.href, work)
}

afterAll(() =>
  connected(postgresAdminUrl(), async (db) => {
    for (const name of [DATABASE, 'banyan_control']) await db.query(`drop database if exists ${name} with (force)`)
    for (const role of [OWNER, APP, ...CONTROL_ROLES]) await db.query(`drop role if exists ${role}`)
  }),
)

test('a database that its owner builds in, its process works in and the mover shares; two at once wait for each other, and the last password holds', async () => {
  await Promise.all([1, 2].map((at) => provision({ ...PASSWORDS, [OWNER]: `number ${at}` }, 'databases', DATABASE)))
  await provision(PASSWORDS, 'databases', DATABASE)
  await as(OWNER, (db) => db.query('create table things (id int); create table banyan.seen (id int)'))
  await as(APP, async (db) => {
    await expect(db.query('create table more (id int)')).rejects.toThrow('permission denied for schema public')
    await expect(db.query('select from things')).rejects.toThrow('permission denied for table things')
  })
  await as(MOVER, async (db) => {
    expect((await db.query(`select from things`)).rowCount).toBe(0)
    await db.query(`set session_replication_role = 'replica'`)
  })
  const { rows } = await connected(postgresAdminUrl(), (db) =>
    db.query(`select has_database_privilege('public', '${DATABASE}', 'connect') as everybody`),
  )
  expect(rows).toEqual([{ everybody: false }])
})

test('in the control database each process announces itself, and no role another process', async () => {
  await provision(CONTROL_PASSWORDS, 'databases', 'control')
  const mayAnnounce = async (role: string) => {
    const may: string[] = []
    const announce = 'insert into banyan.instances (service, id, url) values ($1, gen_random_uuid(), $2)'
    await as(
      role,
      async (db) => {
        for (const { process } of WATCHERS)
          await db.query(announce, [process, 'http://x']).then(
            () => may.push(process),
            (error: Error) => expect(error.message).toContain('row-level security'),
          )
      },
      'banyan_control',
    )
    return may
  }
  for (const { role, process } of WATCHERS) expect(await mayAnnounce(role)).toEqual([process])
  expect(await mayAnnounce('banyan_proxy')).toEqual([])
})

test('nothing is made without a password, or by a word that says nothing', async () => {
  await expect(provision({}, 'databases', DATABASE)).rejects.toThrow('PASSWORD_OF_PROVISIONED_GOODS_OWNER is missing')
  await expect(provision({}, 'tables', DATABASE)).rejects.toThrow('say what to make: databases or flags')
  await expect(provision({}, 'databases')).rejects.toThrow('say what to make')
})

test('the secrets have a password for every role that is made of them', async () => {
  const secrets = await newSecrets({ postgres: 'postgres', rabbitmq: 'rabbitmq' })
  const roles = (name: string) => Object.keys(secrets[name] ?? {})
  expect(roles('database-orders')).toEqual(['orders_owner', 'orders_app', 'banyan_mover'].map(passwordVariable))
  expect(roles('database-control')).toEqual(CONTROL_ROLES.map(passwordVariable))
  expect(roles('database-unleash')).toEqual([passwordVariable('unleash')])
})
