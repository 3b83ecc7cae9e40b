import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loginClause } from '../../tests/support/infra.ts'
import { EVENTS_EXCHANGE, eventTopology, quorumQueue } from '../broker/index.ts'
import { fromPg } from '../sql.ts'
import { append, type Relay, type RelayOptions, startRelay } from './index.ts'
import { deletePublished } from './queries.ts'
import { readQueue } from './testing/reader.ts'
import { createWorld, until, type World } from './testing/world.ts'

const QUEUE = 'banyan.test'
let world: World

beforeEach(async () => {
  world = await createWorld()
})
afterEach(() => world.close())

function relay(more: Partial<RelayOptions> = {}): Relay {
  const { databaseUrl, broker, log } = world
  const started = startRelay({ connectionString: databaseUrl, broker, logger: log, ...more })
  world.onClose(() => started.close())
  return started
}

async function reader(queue = QUEUE) {
  const reading = await readQueue(world.brokerUrl, queue)
  world.onClose(() => reading.close())
  return reading
}

const event = (stream: string, n: number, type = 'Happened') => ({
  context: 'orders',
  stream,
  type,
  version: 1,
  payload: { n },
})

async function unpublished(): Promise<number> {
  const { rows } = await world.pool.query('select count(*)::int as n from banyan.outbox where published_at is null')
  return rows[0].n
}

test('what commits is published once, as CloudEvents, and marked; what rolls back never is', async () => {
  await world.pool.query("insert into banyan.owner (context, owner, term) values ('orders', 'monolith', 7)")
  await world.broker.declare(eventTopology(QUEUE, ['Happened']))
  const reading = await reader()
  relay()
  await world
    .transaction(async (sql) => {
      await append(sql, event('order-1', 0))
      throw new Error('rolled back')
    })
    .catch(() => undefined)
  const id = await world.transaction((sql) => append(sql, event('order-1', 1)))
  await until('the event is marked', async () => (await unpublished()) === 0)
  expect(reading.ids()).toEqual([id])
  const { properties, fields, content } = reading.messages[0]!
  expect(fields.routingKey).toBe('Happened')
  expect(properties).toMatchObject({ messageId: id, deliveryMode: 2, contentType: 'application/json' })
  expect(properties.headers).toMatchObject({ 'ce-source': '/orders', 'ce-subject': 'order-1', 'ce-sequence': '7.2' })
  expect(JSON.parse(content.toString())).toEqual({ n: 1 })
})

test('a monolith in another language appends with banyan.emit and needs no right on the tables', async () => {
  const role = `emitter_${world.vhost.replace(/\W/g, '_')}`
  await world.pool.query(`create role ${role} ${loginClause()}`)
  world.onClose(async () => {
    await world.pool.query(`drop owned by ${role}`)
    await world.pool.query(`drop role ${role}`)
  })
  await world.pool.query(`grant usage on schema banyan to ${role}`)
  const url = new URL(world.databaseUrl)
  url.username = role
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  world.onClose(() => client.end())
  await client.query(`select banyan.emit('orders', 'order-1', 'Happened', 1, '{"n": 1}')`)
  await expect(client.query('select 1 from banyan.outbox')).rejects.toThrow(/permission denied/)
  expect(await unpublished()).toBe(1)
})

test('a transaction that began first and commits last, with a lower id, is not skipped', async () => {
  await world.broker.declare(eventTopology(QUEUE, ['Happened']))
  const reading = await reader()
  const late = new pg.Client({ connectionString: world.databaseUrl })
  await late.connect()
  world.onClose(() => late.end())
  await late.query('begin')
  const lateId = await append(fromPg(late), event('order-1', 1))
  const started = relay()
  const earlyId = await append(world.sql, event('order-2', 2))
  await until('the higher id is published', () => started.stats().published === 1)

  // What a relay that remembers its position would read next, once the lower id is there.
  const { rows: position } = await world.pool.query(
    'select max(id) as last from banyan.outbox where published_at is not null',
  )
  await late.query('commit')
  const { rows: skipped } = await world.pool.query('select 1 from banyan.outbox where id > $1', [position[0].last])
  expect(skipped).toEqual([])

  await until('the lower id is published', () => started.stats().published === 2)
  expect(reading.ids()).toEqual([earlyId, lateId])
})

test('an unroutable event is reported, not marked, does not hold up others, and goes out once its queue is bound', async () => {
  await world.broker.declare(eventTopology('banyan.other', ['Other']))
  const started = relay()
  await append(world.sql, event('order-1', 1))
  await until('the return was reported', () => started.stats().failed.returned > 0, 3_000)
  expect(world.log.lines.join('\n')).toMatch(/error event not published.*no queue is bound/)
  for (let n = 0; n < 50; n++) await append(world.sql, event(`order-${n + 2}`, n, 'Other'))
  await until('all others are published', () => started.stats().published === 50)
  expect(await unpublished()).toBe(1)
  await until('the age shows', () => started.stats().oldestAgeMs > 0 && started.stats().backlog === 1)

  await world.broker.declare(eventTopology(QUEUE, ['Happened']))
  const reading = await reader()
  await until('it is published', () => started.stats().published === 51)
  expect(reading.messages).toHaveLength(1)
  expect(started.stats().troubledStreams).toBe(0)
})

test('a nack never marks, and what was refused arrives when the queue has room again', async () => {
  const full = quorumQueue(QUEUE, { 'x-max-length': 1, 'x-overflow': 'reject-publish' })
  await world.broker.declare({
    exchanges: [{ exchange: EVENTS_EXCHANGE }],
    queues: [full],
    bindings: [{ exchange: EVENTS_EXCHANGE, queue: QUEUE, routingKey: '#' }],
  })
  const started = relay()
  const ids: string[] = []
  for (let n = 0; n < 200; n++) ids.push(await append(world.sql, event('order-1', n)))
  await until('the queue refused some', () => started.stats().failed.nack > 0)
  expect(await unpublished()).toBeGreaterThan(0)
  const reading = await reader()
  await until('all are published', () => started.stats().published === 200, 30_000)
  await until('all have arrived', () => new Set(reading.ids()).size === 200)
  expect(new Set(reading.ids())).toEqual(new Set(ids))
}, 60_000)

test('each stream keeps its order, through a broker that loses every connection', async () => {
  await world.broker.declare(eventTopology(QUEUE, ['Happened']))
  const reading = await reader()
  const started = relay()
  const ids = new Map<string, string[]>()
  for (let n = 0; n < 600; n++) {
    const stream = `order-${n % 7}`
    const id = await append(world.sql, event(stream, n))
    ids.set(stream, [...(ids.get(stream) ?? []), id])
    if (n % 200 === 100) await closeConnections('test publish')
  }
  await until('all are published', async () => (await unpublished()) === 0, 30_000)
  await until('all have arrived', () => new Set(reading.ids()).size === 600)
  const arrived = new Set<string>()
  const first = reading.messages.filter(({ properties }) => {
    const fresh = !arrived.has(properties.messageId)
    arrived.add(properties.messageId)
    return fresh
  })
  for (const [stream, expected] of ids) {
    const got = first.filter(({ properties }) => properties.headers?.['ce-subject'] === stream)
    expect(got.map(({ properties }) => properties.messageId)).toEqual(expected)
  }
  expect(started.stats().leading).toBe(true)
}, 60_000)

test('of two relays one leads, and the other takes over within five seconds of its end', async () => {
  await world.broker.declare(eventTopology(QUEUE, ['Happened']))
  const reading = await reader()
  const one = relay()
  await until('one leads', () => one.stats().leading)
  const two = relay()
  for (let n = 0; n < 100; n++) await append(world.sql, event(`order-${n}`, n))
  await until('all are published', async () => (await unpublished()) === 0)
  expect(two.stats()).toMatchObject({ leading: false, published: 0 })
  expect(reading.messages).toHaveLength(100)

  const from = Date.now()
  await world.pool.query(
    `select pg_terminate_backend(l.pid) from pg_locks l join pg_database d on d.oid = l.database
      where locktype = 'advisory' and granted and d.datname = current_database()`,
  )
  await until('somebody leads again', () => one.stats().leading !== two.stats().leading, 5_000)
  await one.close()
  await until('the other leads', () => two.stats().leading, 5_000)
  expect(Date.now() - from).toBeLessThan(10_000)
  await append(world.sql, event('order-1', 100))
  await until('it publishes', () => two.stats().published > 0)
})

test('no transaction is open while messages are on their way', async () => {
  await world.broker.declare(eventTopology(QUEUE, ['Happened']))
  await world.sql.raw(
    `insert into banyan.outbox (context, term, stream, type, version, payload)
     select 'orders', 0, 'order-' || i, 'Happened', 1, '{}' from generate_series(1, 5000) i`,
  )
  const started = relay()
  const states = new Set<string>()
  let samples = 0
  await until('all are published', async () => {
    const { rows } = await world.pool.query(
      `select state, backend_xmin from pg_stat_activity
        where datname = current_database() and application_name = 'banyan relay'`,
    )
    samples++
    for (const { state } of rows) states.add(state)
    return started.stats().published === 5_000
  })
  expect(samples).toBeGreaterThan(3)
  expect([...states].filter((state) => state?.startsWith('idle in transaction'))).toEqual([])
})

test('published rows go after their time, in batches; unpublished ones stay', async () => {
  await world.sql.raw(
    `insert into banyan.outbox (context, term, stream, type, version, payload, published_at)
     select 'orders', 0, 'order-' || i, 'Happened', 1, '{}',
            case when i = 1 then null when i <= 4500 then now() - interval '2 hours' else now() end
       from generate_series(1, 4510) i`,
  )
  const started = relay({ retentionMs: 3_600_000 })
  await until('the old ones are gone', () => started.stats().purged === 4_499)
  const { rows } = await world.pool.query('select count(*)::int as n from banyan.outbox')
  expect(rows[0].n).toBe(11)
})

test('published rows go, however many that wait stand before them', async () => {
  await world.sql.raw(
    `insert into banyan.outbox (context, term, stream, type, version, payload, published_at)
     select 'orders', 0, 'order-1', 'Happened', 1, '{}', case when i > 20 then now() - interval '2 hours' end
       from generate_series(1, 23) i`,
  )
  expect(await deletePublished(world.sql, 3_600_000, 2)).toBe(2)
})

test('the trace of the row is carried', async () => {
  await world.broker.declare(eventTopology(QUEUE, ['Happened']))
  const reading = await reader()
  relay()
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await append(world.sql, { ...event('order-1', 1), headers: { traceparent } })
  await until('it arrived', () => reading.messages.length === 1)
  expect(reading.messages[0]?.properties.headers?.traceparent).toBe(traceparent)
})

async function closeConnections(name: string): Promise<void> {
  type Connection = { name: string; vhost: string; client_properties: { connection_name?: string } }
  const ours = async () =>
    ((await world.api('GET', `vhosts/${world.vhost}/connections`)) as Connection[]).filter(
      ({ client_properties }) => client_properties?.connection_name === name,
    )
  await until(`the management API knows ${name}`, async () => (await ours()).length > 0)
  for (const connection of await ours()) {
    await world.api('DELETE', `connections/${encodeURIComponent(connection.name)}`).catch(() => undefined)
  }
}

test('an idle relay looks seldom, and an append of its own process wakes it', async () => {
  await world.broker.declare(eventTopology(QUEUE, ['Happened']))
  const started = relay({ idlePollMs: 3_600_000 })
  await until('it leads', () => started.stats().leading)
  // Of another process, as it were. A relay that still looks often publishes it; then another, when that is long past.
  let emittedAt = 0
  await until('an event has been left alone for half a second', async () => {
    if (Date.now() - emittedAt > 2_000 && (await unpublished()) === 0) {
      await world.pool.query("select banyan.emit('orders', 'order-1', 'Happened', 1, '{}')")
      emittedAt = Date.now()
    }
    return Date.now() - emittedAt > 500 && (await unpublished()) === 1
  })
  await world.transaction((sql) => append(sql, event('order-2', 1)))
  await until('both are marked', async () => (await unpublished()) === 0)
})
