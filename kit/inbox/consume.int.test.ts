import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Broker, connectBroker, EVENTS_EXCHANGE, eventTopology, type Headers } from '../broker/index.ts'
import { startTcpProxy } from '../broker/testing/tcp-proxy.ts'
import { startChild } from '../outbox/testing/child.ts'
import { createWorld, until, type World } from '../outbox/testing/world.ts'
import { currentContext } from '../service/request-context.ts'
import {
  type ConsumeOptions,
  type Consumer,
  consume,
  continueTrace,
  discard,
  exportConsumers,
  listDeadLetters,
  replay,
  showDeadLetter,
} from './index.ts'

const QUEUE = 'banyan.orders'
const CONSUMER = new URL('./testing/consumer-process.ts', import.meta.url)
let world: World

beforeEach(async () => {
  world = await createWorld()
  await world.pool.query('create table effects (n bigint generated always as identity, event_id text, stream text)')
  await world.broker.declare(eventTopology(QUEUE, ['Happened']))
})
afterEach(() => world.close())

function start(more: Partial<ConsumeOptions> = {}): Consumer {
  const consumer = consume({
    broker: world.broker,
    queue: QUEUE,
    transaction: world.transaction,
    logger: world.log,
    retry: { attempts: 3, baseMs: 40 },
    handlers: {
      async Happened({ id, stream }, { sql }) {
        await sql.raw('insert into effects (event_id, stream) values (?, ?)', [id, stream])
      },
    },
    ...more,
  })
  world.onClose(() => consumer.close())
  return consumer
}

async function publish(id: string, { stream = `order-${id}`, type = 'Happened', headers = {} as Headers } = {}) {
  publisher ??= world.broker.publisher()
  await publisher.publish({
    exchange: EVENTS_EXCHANGE,
    routingKey: type,
    messageId: id,
    body: Buffer.from(JSON.stringify({ id })),
    headers: {
      'ce-id': id,
      'ce-source': '/orders',
      'ce-type': type,
      'ce-subject': stream,
      'ce-time': new Date().toISOString(),
      'ce-dataversion': '1',
      'ce-sequence': `1.${id}`,
      ...headers,
    },
  })
}
let publisher: ReturnType<Broker['publisher']> | undefined
afterEach(() => {
  publisher = undefined
})

async function effects(): Promise<string[]> {
  const { rows } = await world.pool.query('select event_id from effects order by n')
  return rows.map(({ event_id }) => event_id)
}

async function owner(value: string): Promise<void> {
  await world.pool.query(
    `insert into banyan.owner (context, owner) values ('orders', $1)
     on conflict (context) do update set owner = excluded.owner, term = banyan.owner.term + 1`,
    [value],
  )
}

test('a thousand duplicates over several consumers have one effect', async () => {
  const consumers = Array.from({ length: 4 }, () => start())
  await Promise.all(Array.from({ length: 1_000 }, () => publish('1')))
  const sum = (what: 'handled' | 'duplicates') => consumers.reduce((total, one) => total + one.stats()[what], 0)
  await until('all are settled', () => sum('handled') + sum('duplicates') === 1_000)
  expect(await effects()).toEqual(['1'])
  expect(sum('handled')).toBe(1)
})

test('the effect, the note and the events appended commit together or not at all', async () => {
  let failing = true
  const consumer = start({
    handlers: {
      async Happened({ id, stream }, { sql, append }) {
        await sql.raw('insert into effects (event_id) values (?)', [id])
        await append({ context: 'orders', stream, type: 'Followed', version: 1, payload: {} })
        if (failing) throw new Error('after all that')
      },
    },
  })
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await publish('1', { headers: { traceparent } })
  await until('it failed', () => consumer.stats().failures > 0)
  const count = async () => {
    const { rows } = await world.pool.query(
      `select (select count(*)::int from effects) as effects, (select count(*)::int from banyan.inbox) as inbox,
              (select count(*)::int from banyan.outbox) as outbox`,
    )
    return rows[0]
  }
  expect(await count()).toEqual({ effects: 0, inbox: 0, outbox: 0 })
  failing = false
  await until('it is handled', () => consumer.stats().handled === 1)
  expect(await count()).toEqual({ effects: 1, inbox: 1, outbox: 1 })
  const { rows } = await world.pool.query('select headers from banyan.outbox')
  expect(rows[0].headers).toEqual({ traceparent })
})

test('what an event causes later goes on with its trace, and begins one where none is known', async () => {
  const consumer = start()
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await publish('1', { headers: { traceparent } })
  await until('it is handled', () => consumer.stats().handled === 1)
  const later = (id: string) =>
    continueTrace(world.sql, { id, consumer: QUEUE }, 'later', {}, async () => currentContext()?.traceparent)
  expect(await later('1')).toBe(traceparent)
  expect(await later('unknown')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  await world.pool.query('alter table banyan.inbox rename to elsewhere')
  expect(await later('1')).not.toBe(traceparent)
})

test('streams side by side, each in order, whatever fails in between', async () => {
  // All before the consumer starts: a slow machine would otherwise never have five to handle at a time.
  await Promise.all(Array.from({ length: 100 }, (_, n) => publish(String(n), { stream: `s${n % 8}` })))
  let running = 0
  let most = 0
  let failures = 0
  const consumer = start({
    concurrency: 5,
    handlers: {
      async Happened({ id, stream }, { sql }) {
        most = Math.max(most, ++running)
        try {
          await sql.raw('select pg_sleep(0.005)')
          if (stream === 's0' && failures++ < 2) throw new Error('for a while')
          await sql.raw('insert into effects (event_id, stream) values (?, ?)', [id, stream])
        } finally {
          running--
        }
      },
    },
  })
  await until('all are handled', () => consumer.stats().handled === 100)
  expect(most).toBe(5)
  const { rows } = await world.pool.query(
    'select stream, array_agg(event_id::int order by n) as ids from effects group by 1',
  )
  for (const { stream, ids } of rows) {
    const first = Number(stream.slice(1))
    expect(ids).toEqual(Array.from({ length: ids.length }, (_, at) => first + 8 * at))
  }
})

test('an ever failing handler is tried exactly so often, with growing pauses; then a dead letter that can be replayed', async () => {
  const at: number[] = []
  let failing = true
  const consumer = start({
    handlers: {
      async Happened({ id }, { sql }) {
        at.push(Date.now())
        if (failing) throw new TypeError('always')
        await sql.raw('insert into effects (event_id) values (?)', [id])
      },
    },
    retry: { attempts: 4, baseMs: 100, maxMs: 200 },
  })
  await publish('1', { stream: 'order-1' })
  await publish('2', { stream: 'order-2' })
  await until('both are dead', () => consumer.stats().dead === 2)
  expect(at).toHaveLength(8)
  expect(consumer.stats()).toMatchObject({ handled: 0, failures: 8 })
  const registry = new Registry()
  exportConsumers(registry, world.broker)
  expect(await registry.metrics()).toContain(`inbox_dead_letters_total{queue="${QUEUE}"} 2\n`)

  const letters = await listDeadLetters({ broker: world.broker, queue: QUEUE })
  expect(letters.map(({ id }) => id).sort()).toEqual(['1', '2'])
  expect(letters[0]).toMatchObject({ type: 'Happened', reason: 'failed', attempts: 4, error: 'TypeError: always' })
  expect(await showDeadLetter({ broker: world.broker, queue: QUEUE, id: '2' })).toMatchObject({ body: '{"id":"2"}' })
  expect(await listDeadLetters({ broker: world.broker, queue: QUEUE, filter: { stream: 'order-1' } })).toHaveLength(1)
  expect(await listDeadLetters({ broker: world.broker, queue: QUEUE, filter: { olderThanMs: 60_000 } })).toEqual([])

  failing = false
  expect(await replay({ broker: world.broker, queue: QUEUE, filter: { ids: ['1'] } })).toBe(1)
  await until('it is handled', () => consumer.stats().handled === 1)
  expect(await discard({ broker: world.broker, queue: QUEUE })).toBe(1)
  expect(await listDeadLetters({ broker: world.broker, queue: QUEUE })).toEqual([])
  expect(await effects()).toEqual(['1'])
})

test('the pauses between attempts are exponential, within 20 %', async () => {
  const at: number[] = []
  const consumer = start({
    handlers: {
      async Happened() {
        at.push(Date.now())
        throw new Error('always')
      },
    },
    retry: { attempts: 3, baseMs: 400, maxMs: 10_000 },
  })
  await publish('1')
  await until('it is dead', () => consumer.stats().dead === 1)
  const [first, second] = [at[1]! - at[0]!, at[2]! - at[1]!]
  // The machine may be late, never early.
  expect(first).toBeGreaterThanOrEqual(318)
  expect(first).toBeLessThan(480 + 1_500)
  expect(second).toBeGreaterThanOrEqual(638)
  expect(second).toBeLessThan(960 + 1_500)
})

test('what is replayed twice, or was handled before, has no second effect', async () => {
  const consumer = start()
  await publish('1')
  await until('it is handled', () => consumer.stats().handled === 1)
  publisher ??= world.broker.publisher()
  for (let n = 0; n < 2; n++) {
    await publisher.publish({
      exchange: 'banyan.dead',
      routingKey: QUEUE,
      messageId: '1',
      body: Buffer.from('{}'),
      headers: (await sample('1')) as Headers,
    })
  }
  expect(await replay({ broker: world.broker, queue: QUEUE })).toBe(2)
  await until('both came', () => consumer.stats().duplicates === 2)
  expect(await effects()).toEqual(['1'])
})

test.each([
  ['a message', false],
  ['a message that comes again', true],
])('a database that ends connections, or has none left, is no fault of %s, however often', async (_, again) => {
  const away = [
    Object.assign(new Error('terminating connection due to administrator command'), { code: '57P01' }),
    Object.assign(new Error('Timeout acquiring a connection.'), { name: 'KnexTimeoutError' }),
  ]
  await publish('1')
  if (again) await giveBack()
  let begun = 0
  const consumer = start({
    handlers: {
      async Happened({ id }, { sql }) {
        begun++
        if (begun <= 6) throw away[begun % 2]
        await sql.raw('insert into effects (event_id) values (?)', [id])
      },
    },
  })
  await until('it has its effect', async () => (await effects()).length === 1)
  expect(begun).toBe(7)
  expect(consumer.stats()).toMatchObject({ handled: 1, failures: 0, dead: 0 })
})

/** Takes the message and loses the connection over it. */
async function giveBack(): Promise<void> {
  const proxy = await startTcpProxy(world.brokerUrl)
  world.onClose(() => proxy.close())
  const broker = connectBroker({ url: proxy.url, name: 'cut', logger: world.log })
  let taken = false
  let end: () => void = () => undefined
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  const consumer = start({
    broker,
    handlers: {
      async Happened() {
        taken = true
        await ended
        throw new Error('too late')
      },
    },
  })
  await until('it is taken', () => taken)
  proxy.cut()
  end()
  await consumer.close()
  await broker.close()
}

test('a letter says why its handler failed, and nothing of the row it failed with', async () => {
  const consumer = start({
    handlers: { Happened: async (_event, { sql }) => void (await sql.raw(`select 'ada@example.org'::bigint`)) },
    retry: { attempts: 1, baseMs: 1 },
  })
  await publish('1')
  await until('it is dead', () => consumer.stats().dead === 1)
  const [letter] = await listDeadLetters({ broker: world.broker, queue: QUEUE })
  expect(letter).toMatchObject({ reason: 'failed', error: 'error: SQLSTATE 22P02' })
})

test('what is no event, and what nobody handles, goes to the dead letters at once, with its reason', async () => {
  const consumer = start()
  await world.broker.declare({ bindings: [{ exchange: EVENTS_EXCHANGE, queue: QUEUE, routingKey: 'Stray' }] })
  await publish('1', { type: 'Stray' })
  await publish('2', { headers: { 'ce-subject': '' } })
  await until('both are dead', () => consumer.stats().dead === 2)
  const letters = await listDeadLetters({ broker: world.broker, queue: QUEUE })
  expect(letters.map(({ id, reason }) => `${id} ${reason}`).sort()).toEqual(['1 no-handler', '2 unreadable'])
})

test('a side that is not the owner takes nothing, and begins when it becomes the owner', async () => {
  await owner('monolith')
  const monolith = start({ context: 'orders', side: 'monolith', consumer: 'm' })
  const service = start({ context: 'orders', side: 'service', consumer: 's' })
  await Promise.all([monolith.ready, service.ready])
  for (let n = 0; n < 50; n++) await publish(String(n))
  await until('the owner handles all', () => monolith.stats().handled === 50)
  expect(service.stats()).toMatchObject({ active: false, handled: 0 })

  await owner('moving')
  for (let n = 50; n < 100; n++) await publish(String(n))
  await until('the former owner stops', () => !monolith.stats().active)
  expect(monolith.stats().handled).toBe(50)
  await until('all wait in the queue', async () => (await world.broker.depth(QUEUE)) === 50)

  await owner('service')
  await until('the new owner handles them', () => service.stats().handled === 50)
  expect(monolith.stats()).toMatchObject({ active: false, handled: 50, dead: 0 })
  expect((await effects()).map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, n) => n))
})

test('a fence waits for the handler that saw itself owner, and no handler slips in behind it', async () => {
  await owner('monolith')
  let finish: () => void = () => undefined
  let begun = false
  const consumer = start({
    context: 'orders',
    side: 'monolith',
    handlers: {
      async Happened({ id }, { sql }) {
        begun = true
        await new Promise<void>((resolve) => {
          finish = resolve
        })
        await sql.raw('insert into effects (event_id) values (?)', [id])
      },
    },
  })
  await publish('1')
  await until('the handler runs', () => begun)
  const fence = await world.pool.connect()
  let fenced = false
  await fence.query('begin')
  const fencing = (async () => {
    await fence.query('lock table banyan.owner in exclusive mode')
    fenced = true
    await fence.query("update banyan.owner set owner = 'moving'")
    await fence.query('commit')
    fence.release()
  })()
  await until('the fence waits', async () => {
    const { rows } = await world.pool.query('select 1 from pg_locks where not granted')
    return rows.length > 0
  })
  expect(fenced).toBe(false)
  await publish('2')
  finish()
  await fencing
  await until('it has stopped', () => !consumer.stats().active)
  expect(await effects()).toEqual(['1'])
  await until('the second waits in the queue', async () => (await world.broker.depth(QUEUE)) === 1)
})

test('paused it takes nothing and runs nothing; resumed it goes on', async () => {
  const consumer = start()
  await publish('1')
  await until('it is handled', () => consumer.stats().handled === 1)
  await consumer.pause()
  await publish('2')
  await until('it stays in the queue', async () => (await world.broker.depth(QUEUE)) === 1)
  expect(consumer.stats().handled).toBe(1)
  consumer.resume()
  await until('it is handled', () => consumer.stats().handled === 2)
})

test('a connection cut again and again loses nothing and doubles nothing', async () => {
  const proxy = await startTcpProxy(world.brokerUrl)
  world.onClose(() => proxy.close())
  const broker = connectBroker({ url: proxy.url, name: 'cut', logger: world.log })
  world.onClose(() => broker.close())
  const consumer = start({ broker })
  for (let n = 0; n < 300; n++) {
    await publish(String(n), { stream: `s${n % 5}` })
    if (n % 100 === 50) {
      await until('it consumes', () => consumer.stats().active)
      proxy.cut()
    }
  }
  await until('all are handled', async () => (await effects()).length === 300, 30_000)
  const ids = (await effects()).map(Number)
  expect(new Set(ids).size).toBe(300)
  for (let stream = 0; stream < 5; stream++) {
    const own = ids.filter((id) => id % 5 === stream)
    expect(own).toEqual([...own].sort((a, b) => a - b))
  }
})

test('a message that kills its process is quarantined after three starts, and its neighbours are handled', async () => {
  await world.broker.declare(eventTopology(QUEUE, ['Deadly']))
  for (let n = 0; n < 20; n++) await publish(String(n))
  await publish('deadly', { type: 'Deadly' })
  for (let n = 20; n < 40; n++) await publish(String(n))
  const deaths: string[] = []
  const options = { databaseUrl: world.databaseUrl, brokerUrl: world.brokerUrl, queue: QUEUE, failPoints: '' }
  for (let starts = 0; starts < 3; starts++) deaths.push(await startChild(CONSUMER, options).ended)
  expect(deaths).toEqual(['SIGKILL', 'SIGKILL', 'SIGKILL'])
  const last = startChild(CONSUMER, options)
  world.onClose(async () => {
    last.kill()
    await last.ended
  })
  await until('it is quarantined', async () => (await world.broker.depth(`${QUEUE}.dead`)) === 1)
  const [letter] = await listDeadLetters({ broker: world.broker, queue: QUEUE })
  expect(letter).toMatchObject({ id: 'deadly', reason: 'poison', error: 'begun 3 times and never ended' })
  await until('all neighbours are handled', async () => (await effects()).length === 40)
  expect(new Set(await effects()).size).toBe(40)
}, 60_000)

test.each(['inbox.before-commit', 'inbox.after-commit'])(
  'a consumer killed at %s has handled each message once in the end',
  async (point) => {
    for (let n = 0; n < 30; n++) await publish(String(n))
    const options = { databaseUrl: world.databaseUrl, brokerUrl: world.brokerUrl, queue: QUEUE }
    expect(await startChild(CONSUMER, { ...options, failPoints: `${point}=after:10:kill` }).ended).toBe('SIGKILL')
    const last = startChild(CONSUMER, { ...options, failPoints: '' })
    world.onClose(async () => {
      last.kill()
      await last.ended
    })
    await until('all are handled', async () => (await effects()).length >= 30)
    await until('none is left', async () => (await world.broker.depth(QUEUE)) === 0)
    expect((await effects()).map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, n) => n))
  },
)

test('a consumer is refused that binds what it does not handle, or forgets too early', () => {
  expect(() => start({ bindings: ['Other'] })).toThrow(/binds Other but has no handler/)
  expect(() => start({ retention: { inboxMs: 1_000 } })).toThrow(/retention/)
})

async function sample(id: string): Promise<Record<string, unknown>> {
  return {
    'ce-id': id,
    'ce-source': '/orders',
    'ce-type': 'Happened',
    'ce-subject': 'order-1',
    'ce-time': new Date().toISOString(),
    'ce-dataversion': '1',
    'ce-sequence': '1.1',
  }
}
