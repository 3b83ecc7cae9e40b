/** The same seed data in every world: made once, then copied. */
import pg from 'pg'
import { migrate } from '../embedded/migrate.ts'
import { ROOT } from '../embedded/stack.ts'
import { connected, inDatabase } from '../provision/database.ts'
import { copyMade } from '../provision/made-databases.ts'
import { leadToClock, makeClock } from './database-clock.ts'
import { MARK } from './run-name.ts'

/** Whom tokens speak of in every world, by their ids 1 and 2; the password is "a person of the seed". */
const PEOPLE = [
  ['admin@parity.test', 'Admin', 'admin'],
  ['customer@parity.test', 'Customer', 'customer'],
]
const PASSWORD_HASH = '$argon2id$v=19$m=8,t=1,p=1$+VYFAaloujd8I+zZLdHBFw$VTFMn+OlTiHCU/LAHWxlMtsOsmsEJunKm6HbPTPpEww'

export type Databases = {
  /** A database with the schema and the seed data. @returns its URL */
  copy(name: string): Promise<string>
  /** An empty database with the schema of a service, filled with the tables that moved to it. */
  extract(name: string, database: string, tables: readonly string[]): Promise<string>
  /** Drops everything made here. */
  drop(): Promise<void>
}

/**
 * @param prefix of every name, so that runs do not meet
 * @param clockShiftMs by how much the databases' clocks are ahead of the server's; 0 leaves them as they are
 */
export async function seedDatabases(adminUrl: string, prefix: string, clockShiftMs: number): Promise<Databases> {
  const made: string[] = []
  const admin = (statement: string) => connected(adminUrl, (client) => client.query(statement))
  const mark = (whole: string) => admin(`comment on database ${whole} is '${MARK}'`)
  const create = async (name: string, template?: string) => {
    const whole = `${prefix}_${name}`
    made.push(whole)
    await admin(`create database ${whole}${template ? ` template ${prefix}_${template}` : ''}`)
    await mark(whole)
    return inDatabase(adminUrl, whole)
  }
  /** With the tables of `database`. */
  const createMigrated = async (name: string, database: string) => {
    const whole = `${prefix}_${name}`
    if (await copyMade(adminUrl, database, whole)) {
      made.push(whole)
      await mark(whole)
      return inDatabase(adminUrl, whole)
    }
    const url = await create(name)
    await migrate(ROOT, database, url)
    return url
  }
  const seed = await createMigrated('seed', 'shop')
  await connected(seed, async (db) => {
    if (clockShiftMs !== 0) await makeClock(db, clockShiftMs)
    for (const person of PEOPLE)
      await db.query('insert into users (email, name, role, password_hash) values ($1, $2, $3, $4)', [
        ...person,
        PASSWORD_HASH,
      ])
  })
  // PostgreSQL copies no database that somebody is reading: whatever touches the seed takes its turn.
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work)
    turn = mine.catch(() => undefined)
    return mine
  }
  const led = async (name: string) => {
    if (clockShiftMs !== 0) await connected(adminUrl, (db) => leadToClock(db, `${prefix}_${name}`))
  }
  return {
    async copy(name) {
      const url = await inTurn(() => create(name, 'seed'))
      await led(name)
      return url
    },
    async extract(name, database, tables) {
      const url = await createMigrated(name, database)
      if (clockShiftMs !== 0) await connected(url, (db) => makeClock(db, clockShiftMs))
      await led(name)
      await inTurn(() => connected(seed, (from) => connected(url, (to) => moveTables(from, to, tables))))
      return url
    },
    async drop() {
      for (const name of made) await admin(`drop database if exists ${name} with (force)`)
    },
  }
}

async function moveTables(from: pg.Client, to: pg.Client, tables: readonly string[]): Promise<void> {
  // Neither foreign keys nor fences look at rows that are copied in one go, parents and children alike.
  await to.query('set session_replication_role = replica')
  for (const table of tables) {
    const name = pg.escapeIdentifier(table)
    const { rows } = await from.query(`select coalesce(jsonb_agg(t), '[]')::text as all from ${name} t`)
    await to.query(`insert into ${name} select * from jsonb_populate_recordset(null::${name}, $1::jsonb)`, [
      rows[0].all,
    ])
  }
  // Ids go on where the monolith's would, so that both worlds give the same.
  const { rows } = await from.query<{ name: string; last: string; called: boolean }>(
    `select c.relname as name, coalesce(s.last_value, s.start_value)::text as last, s.last_value is not null as called
     from pg_class c join pg_depend d on d.objid = c.oid and d.deptype in ('a', 'i')
     join pg_class t on t.oid = d.refobjid join pg_sequences s on s.sequencename = c.relname and s.schemaname = 'public'
     where c.relkind = 'S' and t.relname = any($1)`,
    [tables],
  )
  for (const { name, last, called } of rows) await to.query('select setval($1::regclass, $2, $3)', [name, last, called])
}
