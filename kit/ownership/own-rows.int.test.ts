import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTestDatabase, loginClause } from '../../tests/support/infra.ts'
import { createLogger } from '../service/index.ts'
import { fromPg, installControl, listInstances, registerInstance, watchOwnership } from './index.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
const within = { timeout: 5_000, interval: 20 }
const run = randomBytes(4).toString('hex')
const ROLES = { owner: `control_${run}`, goods: `goods_${run}`, users: `users_${run}`, proxy: `proxy_${run}` }
const named = {
  watchers: { [ROLES.goods]: ['goods-service'], [ROLES.users]: ['user-service'] },
  proxies: [ROLES.proxy],
}

let db: { url: string; drop(): Promise<void> }
/** As the tables' owner, who is the mover and no superuser. */
let owner: pg.Client
let open: { close(): Promise<void> }[]

const urlAs = (role: string) => {
  const url = new URL(db.url)
  url.username = role
  return url.href
}
async function as(role: keyof typeof ROLES): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: urlAs(ROLES[role]) })
  await client.connect()
  open.push({ close: () => client.end() })
  return client
}

beforeEach(async () => {
  open = []
  db = await createTestDatabase()
  const admin = new pg.Client({ connectionString: db.url })
  await admin.connect()
  for (const role of Object.values(ROLES)) await admin.query(`create role ${role} ${loginClause()}`)
  await admin.query(`grant create on database ${new URL(db.url).pathname.slice(1)} to ${ROLES.owner}`)
  await admin.end()
  owner = await as('owner')
})
afterEach(async () => {
  for (const one of open.reverse()) await one.close()
  const admin = new pg.Client({ connectionString: db.url })
  await admin.connect()
  for (const role of Object.values(ROLES)) await admin.query(`drop owned by ${role} cascade; drop role ${role}`)
  await admin.end()
  await db.drop()
})

async function install(): Promise<void> {
  await installControl(fromPg(owner), named)
  await owner.query("insert into banyan.contexts (context) values ('goods') on conflict do nothing")
}
const announced = (service: string, id: string) =>
  `insert into banyan.instances (service, id, url) values ('${service}', '${id}', 'http://elsewhere')
   on conflict (service, id) do update set url = excluded.url`
const subscribed = (id: string) =>
  `insert into banyan.subscribers (id, kind, context, lease_until) values ('${id}', 'proxy', 'goods', now() + interval '1 day')
   on conflict (id, context) do update set lease_until = excluded.lease_until`

describe('an instance', () => {
  beforeEach(async () => {
    await install()
    open.push(
      registerInstance({
        connectionString: urlAs(ROLES.goods),
        service: 'goods-service',
        id: 'one',
        url: 'http://goods',
        logger,
      }),
    )
    await vi.waitFor(async () => expect(await urls()).toEqual(['http://goods']), within)
  })
  const urls = async () => (await listInstances(fromPg(owner))).map(({ url }) => url)

  it('is announced by the role of its service, and of no other service by it', async () => {
    for (const role of ['users', 'proxy'] as const) {
      const other = await as(role)
      // Another one beside it, and the one that there is, would both be sent the requests.
      for (const id of ['two', 'one'])
        await expect(other.query(announced('goods-service', id))).rejects.toThrow('row-level security')
      expect((await other.query("update banyan.instances set url = 'http://elsewhere'")).rowCount).toBe(0)
      expect((await other.query('delete from banyan.instances')).rowCount).toBe(0)
      expect((await other.query('select from banyan.instances')).rowCount).toBe(1)
    }
    expect(await urls()).toEqual(['http://goods'])
  })

  it('does not become one of another service', async () => {
    const moved = (await as('goods')).query("update banyan.instances set service = 'user-service'")
    await expect(moved).rejects.toThrow('row-level security')
  })

  it('is no longer announced by a role that is named again without its service', async () => {
    await installControl(fromPg(owner), { watchers: { [ROLES.goods]: [] } })
    await expect((await as('goods')).query(announced('goods-service', 'two'))).rejects.toThrow('row-level security')
  })

  it('is not given to itself by a role', async () => {
    const given = (await as('users')).query(`select banyan.let_announce('${ROLES.users}', '{goods-service}')`)
    await expect(given).rejects.toThrow('permission denied for table announcers')
  })
})

describe('a subscription', () => {
  const row = async () =>
    (
      await owner.query(`select by_role, drained, lease_until > now() + interval '1 minute' as long
                        from banyan.subscribers where id = 'the proxy'`)
    ).rows

  it('is renewed, acknowledged and ended by the role that made it, and by no other', async () => {
    await install()
    const watch = watchOwnership({
      connectionString: urlAs(ROLES.proxy),
      subscriber: { id: 'the proxy', kind: 'proxy' },
      drained: () => new Promise(() => undefined),
      logger,
    })
    open.push(watch)
    await watch.ready
    await owner.query("update banyan.contexts set hold = true where context = 'goods'")
    const service = await as('goods')
    await expect(service.query(subscribed('the proxy'))).rejects.toThrow('row-level security')
    for (const deed of [
      'update banyan.subscribers set epoch_seen = 1000, drained = true',
      'delete from banyan.subscribers',
    ])
      expect((await service.query(deed)).rowCount).toBe(0)
    expect(await row()).toEqual([{ by_role: ROLES.proxy, drained: false, long: false }])
    await watch.close()
    expect(await row()).toEqual([])
  })

  it('is not made, and not given away, in the name of another role', async () => {
    await install()
    const service = await as('goods')
    const inItsName = `insert into banyan.subscribers (id, kind, context, lease_until, by_role)
      values ('it', 'proxy', 'goods', now(), '${ROLES.proxy}')`
    await expect(service.query(inItsName)).rejects.toThrow('row-level security')
    await service.query(subscribed('own'))
    const given = service.query(`update banyan.subscribers set by_role = '${ROLES.proxy}'`)
    await expect(given).rejects.toThrow('row-level security')
  })

  it('that lapsed is taken away by the mover, whoever made it', async () => {
    await install()
    await (await as('proxy')).query(subscribed('the proxy'))
    expect((await owner.query('delete from banyan.subscribers')).rowCount).toBe(1)
  })
})

describe('an installation of before', () => {
  /** The two tables as they were, and rights on them as they were given. */
  beforeEach(async () => {
    await owner.query(`create schema banyan;
      create table banyan.contexts (context text primary key, hold boolean not null default false,
        phase text not null default 'idle', reads text, heartbeat_applied timestamptz, epoch bigint not null default 1,
        changed_at timestamptz);
      create table banyan.subscribers (id text not null, kind text not null, context text not null,
        epoch_seen bigint not null default 0, drained boolean not null default false, lease_until timestamptz not null,
        primary key (id, context));
      insert into banyan.subscribers values ('the proxy', 'proxy', 'goods', 0, false, now());
      insert into banyan.contexts values ('goods');
      grant usage on schema banyan to ${ROLES.users};
      grant select, insert, update, delete on banyan.subscribers to ${ROLES.users}`)
  })

  it('is upgraded where it is: subscribers come back by themselves, each under its own role', async () => {
    await install()
    expect((await owner.query('select from banyan.subscribers')).rowCount).toBe(0)
    await (await as('proxy')).query(subscribed('the proxy'))
    await expect((await as('users')).query(subscribed('the proxy'))).rejects.toThrow('row-level security')
  })

  it.each(['hold = true', "phase = 'aborting'"])('is not upgraded while %s', async (state) => {
    await owner.query(`update banyan.contexts set ${state}`)
    await expect(installControl(fromPg(owner), named)).rejects.toThrow('a context is being switched')
    expect((await owner.query('select from banyan.subscribers')).rowCount).toBe(1)
  })
})
