/** Two real databases, a mover without superuser rights, and one context's lane between them. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { createTestDatabase, loginClause, postgresAdminUrl } from '../../../../tests/support/infra.ts'
import { applyBatch } from '../apply.ts'
import { installCapture } from '../capture.ts'
import { relayOnce } from '../changes-relay.ts'
import { type ChunkOptions, copyNextChunk } from '../copy.ts'
import { startCopy } from '../copy-progress.ts'
import { type ColumnRule, describeTable, tableMove } from '../describe.ts'
import { closeTarget } from '../fence.ts'
import { installEngine } from '../install.ts'
import { type Change, type ChangesBroker, type Db, type Lane, type LaneName, reversedLane } from '../lane.ts'
import { openDb } from '../open-db.ts'
import { purgeTombstones, takeMoment } from '../purge.ts'

const PARTICIPANT = new URL('../../../../kit/ownership/participant.sql', import.meta.url)

export interface LaneFixture {
  readonly lane: Lane
  readonly back: Lane
  /** Applications: the tables' DML and nothing else. */
  readonly sourceApp: pg.Pool
  readonly targetApp: pg.Pool
  /** Superuser connections, for looking and for mischief. */
  readonly sourceAdmin: pg.Pool
  readonly targetAdmin: pg.Pool
  readonly moverRole: string
  /** The same lane under another token. */
  withToken(token: bigint): Lane
  drop(): Promise<void>
}

export interface FixtureOptions {
  /** Runs on both sides as the tables' owner. */
  readonly ddl: string
  readonly targetDdl?: string
  readonly tables: readonly string[]
  readonly rules?: Readonly<Record<string, Readonly<Record<string, ColumnRule>>>>
  readonly token?: bigint
  readonly prepare?: boolean
}

/**
 * Rights to parameters stand in a row of the whole server, which two at once cannot change: PostgreSQL fails the second
 * one. The lock is that of whoever provisions (compose/provision/cli.ts), held to the end of the query it begins.
 */
export const ONE_AT_A_TIME = 'select pg_advisory_xact_lock(7461032)'

/** Makes the databases and, unless told otherwise, prepares both lanes as `banyan prepare` does. */
export async function createLane(options: FixtureOptions): Promise<LaneFixture> {
  const suffix = randomBytes(5).toString('hex')
  const role = { owner: `t_owner_${suffix}`, app: `t_app_${suffix}`, mover: `t_mover_${suffix}` }
  const admin = new pg.Pool({ connectionString: postgresAdminUrl(), max: 1 })
  await admin.query(`create role ${role.owner} ${loginClause()}; create role ${role.app} ${loginClause()};
    create role ${role.mover} ${loginClause()};
    grant ${role.owner} to ${role.mover};
    ${ONE_AT_A_TIME};
    grant set on parameter session_replication_role, deadlock_timeout to ${role.mover}`)
  const databases = await Promise.all([createTestDatabase(), createTestDatabase()])
  const pools: pg.Pool[] = []
  const pool = (url: string, user?: string) => {
    const target = new URL(url)
    if (user) target.username = user
    const made = new pg.Pool({ connectionString: target.href, max: 20 })
    made.on('error', () => undefined)
    pools.push(made)
    return made
  }
  const admins = databases.map((database) => pool(database.url))
  const makeSide = async (database: { url: string }, place: number) => {
    const name = new URL(database.url).pathname.slice(1)
    await admins[place]!.query(`
      alter database ${name} owner to ${role.owner};
      grant create on schema public to ${role.owner}; grant create on database ${name} to ${role.mover}`)
    const owner = pool(database.url, role.owner)
    await owner.query(await readFile(PARTICIPANT, 'utf8'))
    await owner.query(`insert into banyan.owner (context, owner) values ('shop', 'monolith');
      grant usage on schema banyan to ${role.app}; grant usage, create on schema banyan to ${role.mover}`)
    await owner.query(place === 0 ? options.ddl : (options.targetDdl ?? options.ddl))
    await owner.query(`grant select, insert, update, delete, truncate on all tables in schema public to ${role.app};
      grant usage on all sequences in schema public to ${role.app}`)
  }
  await Promise.all(databases.map(makeSide))
  const mover = (place: number): Db => {
    const url = new URL(databases[place]!.url)
    url.username = role.mover
    const db = openDb(url.href, { name: 'banyan test mover', max: 12 })
    pools.push(db)
    return db
  }
  const [from, to] = [mover(0), mover(1)]
  await Promise.all([installEngine(from), installEngine(to)])
  const tables = []
  for (const name of options.tables) {
    const [source, target] = await Promise.all([from, to].map((db) => describeTable(db, { schema: 'public', name })))
    tables.push(tableMove(source!, target!, options.rules?.[name]))
  }
  const lane: Lane = {
    context: 'shop',
    move: 1n,
    token: options.token ?? 1n,
    from,
    to,
    fromSide: 'monolith',
    toSide: 'service',
    tables,
  }
  if (options.prepare !== false) await prepare(lane)
  return {
    lane,
    back: reversedLane(lane),
    sourceApp: pool(databases[0]!.url, role.app),
    targetApp: pool(databases[1]!.url, role.app),
    sourceAdmin: admins[0]!,
    targetAdmin: admins[1]!,
    moverRole: role.mover,
    withToken: (token) => ({ ...lane, token }),
    async drop() {
      await Promise.all(pools.map((one) => one.end()))
      await Promise.all(databases.map((database) => database.drop()))
      await admin.query(`${ONE_AT_A_TIME}; revoke set on parameter session_replication_role, deadlock_timeout from ${role.mover};
        drop role ${role.mover}; drop role ${role.app}; drop role ${role.owner}`)
      await admin.end()
    },
  }
}

export async function prepare(lane: Lane): Promise<void> {
  await Promise.all([installCapture(lane), installCapture(reversedLane(lane))])
  await closeTarget(lane)
}

/** The lane without its broker: what the relay publishes lies in an array, in order. */
export class Wire implements ChangesBroker {
  readonly sent: string[] = []
  /** Says which messages are confirmed; all of them where absent. */
  refuse: (body: string) => boolean = () => false

  async declare(lane: LaneName): Promise<void> {
    void lane
  }

  async publish(lane: LaneName, messages: readonly { id: string; body: string }[]): Promise<boolean[]> {
    void lane
    return messages.map(({ body }) => {
      if (this.refuse(body)) return false
      this.sent.push(body)
      return true
    })
  }

  async consume(): Promise<{ close(): Promise<void> }> {
    throw new Error('a Wire has no consumer; take its changes')
  }

  take(): Change[] {
    return this.sent.splice(0).map((body) => JSON.parse(body) as Change)
  }
}

/** Relays and applies until nothing is left. */
export async function drain(lane: Lane, wire = new Wire()): Promise<void> {
  while ((await relayOnce(lane, wire)).confirmed > 0) {
    const { blocked } = await applyBatch(lane, wire.take())
    if (blocked) throw new Error(`blocked: ${JSON.stringify(blocked)}`)
  }
}

export async function copyAll(lane: Lane, options: ChunkOptions = {}): Promise<void> {
  await startCopy(lane)
  for (const table of lane.tables) {
    for (let round = 0; !(await copyNextChunk(lane, table, options)).done; round++) {
      if (round > 1000) throw new Error(`the copy of ${table.source.name} does not end`)
      await drain(lane)
    }
  }
}

/** Purges as soon as what was open in the whole server has ended: other tests use the same one. */
export async function purgeSoon(lane: Lane): Promise<number> {
  const moment = await takeMoment(lane)
  const until = performance.now() + 30_000
  for (;;) {
    const purged = await purgeTombstones(lane, moment)
    if (purged !== null) return purged
    if (performance.now() > until) throw new Error('the moment does not end')
    await pause(50)
  }
}

/** A table's rows as text, in an order of their own. */
export async function rowsOf(db: pg.Pool, table: string): Promise<string[]> {
  const { rows } = await db.query<{ line: string }>(`select t::text as line from public.${table} t order by 1`)
  return rows.map((row) => row.line)
}
