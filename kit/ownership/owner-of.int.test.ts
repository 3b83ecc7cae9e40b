import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTestDatabase } from '../../tests/support/infra.ts'
import { fromPg, installControl, installParticipant, ownerOf, requireOwner } from './index.ts'

const within = { timeout: 5_000, interval: 20 }
let db: { url: string; drop(): Promise<void> }
let owner: pg.Client
let open: pg.Client[]

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: db.url })
  await client.connect()
  open.push(client)
  return client
}

beforeEach(async () => {
  open = []
  db = await createTestDatabase()
  owner = await connect()
})

afterEach(async () => {
  for (const client of open) await client.end()
  await db.drop()
})

const install = (client = owner) =>
  installParticipant(fromPg(client), { contexts: [{ context: 'inventory', owner: 'monolith' }] })

describe('installing', () => {
  it('twenty times at once is installing once', async () => {
    const clients = await Promise.all(Array.from({ length: 20 }, connect))
    await Promise.all(clients.map((client) => install(client)))
    await Promise.all(clients.map((client) => installControl(fromPg(client))))
    expect((await owner.query('select context, owner, term from banyan.owner')).rows).toEqual([
      { context: 'inventory', owner: 'monolith', term: '1' },
    ])
  })

  it('again leaves the owner as it is', async () => {
    await install()
    await owner.query("update banyan.owner set owner = 'service', term = 2")
    await install()
    expect(await ownerOf(fromPg(owner), 'inventory')).toEqual({ owner: 'service', term: 2n })
  })

  let installed = ''

  /** As a new role that was installed as `kind`. */
  async function installedAs(kind: 'watchers' | 'proxies', work: () => Promise<void>): Promise<void> {
    const role = `watch_${randomBytes(4).toString('hex')}`
    installed = role
    await owner.query(`create role ${role}`)
    try {
      await installControl(fromPg(owner), kind === 'watchers' ? { watchers: { [role]: ['s'] } } : { proxies: [role] })
      await owner.query("insert into banyan.contexts (context) values ('inventory')")
      await owner.query(`set role ${role}`)
      await owner.query('select * from banyan.contexts')
      await owner.query("insert into banyan.subscribers values ('p', 'proxy', 'inventory', 0, false, now())")
      await work()
    } finally {
      await owner.query('reset role')
      await owner.query(`drop owned by ${role}`)
      await owner.query(`drop role ${role}`)
    }
  }
  it('takes back what an earlier version granted, tables to come included', async () => {
    const role = `watch_${randomBytes(4).toString('hex')}`
    await installControl(fromPg(owner))
    await owner.query(`create role ${role};
      grant select on all tables in schema banyan to ${role}; grant update (reads) on banyan.contexts to ${role};
      grant insert on banyan.intents, banyan.audit to ${role};
      alter default privileges in schema banyan grant select on tables to ${role}`)
    try {
      await installControl(fromPg(owner), { watchers: { [role]: [] } })
      await owner.query('create table banyan.later ()')
      await owner.query(`set role ${role}`)
      await owner.query('select from banyan.contexts')
      const reads = ['select from banyan.intents', 'select from banyan.audit', 'select from banyan.later']
      for (const refused of [SET_READS, NOTE, ASK, ...reads])
        await expect(owner.query(refused)).rejects.toThrow('permission denied')
    } finally {
      await owner.query('reset role')
      await owner.query('drop table if exists banyan.later')
      await owner.query(`drop owned by ${role}`)
      await owner.query(`drop role ${role}`)
    }
  })

  const SET_OWNER = "update banyan.contexts set owner = 'service'"
  const SET_READS = "update banyan.contexts set reads = 'owner'"
  const NOTE = "insert into banyan.audit (who, what) values ('x', 'x')"
  const ASK = "insert into banyan.intents (context, verb, source, who) values ('inventory', 'switch', 'cli', 'x')"

  const ASK_AT_CONSOLE = "select banyan.ask_at_console('inventory', 'switch', 'ann', 'why not', false) as id"
  const CALL_OFF = "select banyan.call_off_at_console('inventory', 'ann', 'why not') as state"

  it('lets a watcher subscribe and announce itself, and change nothing else', async () => {
    await installedAs('watchers', async () => {
      await owner.query("insert into banyan.instances (service, id, url) values ('s', 'i', 'http://x')")
      for (const refused of [SET_OWNER, SET_READS, NOTE, ASK, ASK_AT_CONSOLE, CALL_OFF])
        await expect(owner.query(refused)).rejects.toThrow('permission denied')
    })
  })

  it('lets a proxy, besides, set who answers reads and write that into the audit', async () => {
    await installedAs('proxies', async () => {
      await owner.query("select reads from banyan.contexts where context = 'inventory' for update")
      await owner.query(SET_READS)
      await owner.query(NOTE)
      for (const refused of [SET_OWNER, ASK]) await expect(owner.query(refused)).rejects.toThrow('permission denied')
    })
  })

  it('lets a proxy’s operators ask for a switch, once, and call it off, before it began and after', async () => {
    await installedAs('proxies', async () => {
      const intents = async () => {
        await owner.query('reset role')
        return (await owner.query('select id, verb, source, who, why, state, args from banyan.intents order by id'))
          .rows
      }
      const asProxy = async (statement: string) => {
        await owner.query(`set role ${installed}`)
        return (await owner.query(statement)).rows[0]
      }
      const { id } = await asProxy(ASK_AT_CONSOLE)
      expect(await asProxy(ASK_AT_CONSOLE)).toEqual({ id: null })
      const asked = { id, verb: 'switch', source: 'console', who: 'ann', why: 'why not', args: {} }
      expect(await intents()).toEqual([{ ...asked, state: 'pending' }])
      await owner.query("update banyan.intents set state = 'running'")
      expect(await asProxy(CALL_OFF)).toEqual({ state: 'running' })
      expect(await intents()).toEqual([{ ...asked, state: 'running', args: { abort: 'why not (ann)' } }])
      await owner.query("update banyan.intents set state = 'pending'")
      expect(await asProxy(CALL_OFF)).toEqual({ state: 'cancelled' })
      expect(await asProxy(CALL_OFF)).toEqual({ state: null })
    })
  })
})

describe('the owner, asked in a transaction', () => {
  it('is what this database says, to an application that may not change it', async () => {
    const role = `app_${randomBytes(4).toString('hex')}`
    await owner.query(`create role ${role}`)
    try {
      await installParticipant(fromPg(owner), {
        contexts: [{ context: 'inventory', owner: 'service' }],
        applications: [role],
      })
      await owner.query(`set role ${role}`)
      expect(await ownerOf(fromPg(owner), 'inventory')).toEqual({ owner: 'service', term: 1n })
      await expect(owner.query("update banyan.owner set owner = 'monolith'")).rejects.toThrow('permission denied')
    } finally {
      await owner.query('reset role')
      await owner.query(`drop owned by ${role}`)
      await owner.query(`drop role ${role}`)
    }
  })

  it('cannot change until the transaction ends, not even by a fence', async () => {
    await install()
    const application = await connect()
    await application.query('begin')
    expect(await requireOwner(fromPg(application), 'inventory', 'monolith')).toBe(1n)
    await owner.query("set lock_timeout = '200ms'")
    await expect(owner.query("update banyan.owner set owner = 'moving'")).rejects.toThrow('lock timeout')
    await owner.query('begin')
    await expect(owner.query('lock table banyan.owner in exclusive mode')).rejects.toThrow('lock timeout')
    await owner.query('rollback')
    await application.query('commit')
    await owner.query("update banyan.owner set owner = 'moving'")
  })

  it('of a transaction that waited for a fence is what the fence left, not what stood before', async () => {
    await install()
    const application = await connect()
    await owner.query('begin')
    await owner.query('lock table banyan.owner in exclusive mode')
    await application.query('begin')
    const answer = ownerOf(fromPg(application), 'inventory')
    const waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    const observer = await connect()
    await vi.waitFor(async () => expect((await observer.query(waiting)).rows).toHaveLength(1), within)
    await owner.query("update banyan.owner set owner = 'moving', term = 1")
    await owner.query('commit')
    expect(await answer).toEqual({ owner: 'moving', term: 1n })
    await application.query('commit')
  })

  it('decides between passing, 421 and 503 (rule 24)', async () => {
    await install()
    const sql = fromPg(owner)
    expect(await requireOwner(sql, 'inventory', 'monolith')).toBe(1n)
    await expect(requireOwner(sql, 'inventory', 'service')).rejects.toMatchObject({ status: 421, code: 'not-owner' })
    await owner.query("update banyan.owner set owner = 'moving'")
    for (const side of ['monolith', 'service'] as const)
      await expect(requireOwner(sql, 'inventory', side)).rejects.toMatchObject({ status: 503, code: 'fenced' })
  })

  it('of a context that nobody named here is an error that says so', async () => {
    await install()
    await expect(ownerOf(fromPg(owner), 'orders')).rejects.toThrow('no row for "orders"')
  })
})
