import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { type Broker, connectBroker, EVENTS_EXCHANGE, eventTopology } from '../../kit/broker/index.ts'
import { consume, installInbox } from '../../kit/inbox/index.ts'
import { append, fromPg, installOutbox, type Relay, type Sql, startRelay } from '../../kit/outbox/index.ts'
import { inTransaction } from '../../kit/testing/in-transaction.ts'
import { createTestDatabase, createTestVhost } from '../support/infra.ts'
import { median, type Row } from './row.ts'

const ROUNDS = 5
const EVENTS = 10_000
const STREAMS = 1_000
/** About the size of an order's event. */
const PADDING = 900
const QUEUE = 'banyan.bench'
const RATE = 200
const RATE_SECONDS = 10

const silent = () => undefined
const logger = { debug: silent, info: silent, warn: silent, error: console.error }

interface Bench {
  pool: pg.Pool
  sql: Sql
  broker: Broker
  databaseUrl: string
  close(): Promise<void>
}

/**
 * The relay, from committed to confirmed, beside confirmed publishing of the same messages from memory to the same
 * quorum queue through the same client with the same window; then how long an event takes from its commit to the end of
 * its handler's transaction at a steady rate.
 */
export async function benchRelay(): Promise<Row[]> {
  const bench = await open()
  try {
    return [await throughput(bench), await latency(bench)]
  } finally {
    await bench.close()
  }
}

async function throughput(bench: Bench): Promise<Row> {
  await bench.broker.declare(eventTopology(QUEUE, ['Benchmarked']))
  const publisher = bench.broker.publisher({ window: 1_000 })
  const body = Buffer.from(JSON.stringify({ n: 0, pad: 'x'.repeat(PADDING) }))
  const raw = async () => {
    const sent = Array.from({ length: EVENTS }, (_, n) =>
      publisher.publish({
        exchange: EVENTS_EXCHANGE,
        routingKey: 'Benchmarked',
        messageId: randomUUID(),
        body,
        headers: { 'ce-id': randomUUID(), 'ce-subject': `stream-${n % STREAMS}`, 'ce-type': 'Benchmarked' },
      }),
    )
    await Promise.all(sent)
  }
  const rates: { raw: number; relay: number }[] = []
  // The first round warms both up and does not count.
  for (let round = 0; round <= ROUNDS; round++) {
    const rawSeconds = await seconds(raw)
    await emptyQueue(bench.broker)
    await fill(bench.pool)
    const relaySeconds = await drain(bench)
    await emptyQueue(bench.broker)
    if (round > 0) rates.push({ raw: EVENTS / rawSeconds, relay: EVENTS / relaySeconds })
  }
  await publisher.close()
  const ratio = median(rates.map(({ raw, relay }) => relay / raw))
  return {
    figure: 'relay, committed → confirmed',
    value: median(rates.map(({ relay }) => relay)),
    unit: 'events/s',
    yardstick: `${Math.round(median(rates.map(({ raw }) => raw))).toLocaleString('en')}/s raw confirmed publishing`,
    ratio,
    target: '≥ 0.4',
    ok: ratio >= 0.4,
  }
}

async function fill(pool: pg.Pool): Promise<void> {
  await pool.query('truncate banyan.outbox')
  await pool.query(
    `select banyan.emit('bench', 'stream-' || i % $1, 'Benchmarked', 1, jsonb_build_object('n', i, 'pad', repeat('x', $2)))
       from generate_series(1, $3) i`,
    [STREAMS, PADDING, EVENTS],
  )
  await pool.query('vacuum analyze banyan.outbox')
}

/** From the moment the relay leads to the last mark, which comes after the last confirm. */
async function drain({ broker, databaseUrl }: Bench): Promise<number> {
  const relay = startRelay({ connectionString: databaseUrl, broker, logger })
  try {
    await poll(() => relay.stats().leading)
    return await seconds(() => poll(() => relay.stats().published === EVENTS))
  } finally {
    await relay.close()
  }
}

async function latency(bench: Bench): Promise<Row> {
  const { pool, sql, broker, databaseUrl } = bench
  await pool.query('truncate banyan.outbox')
  const committedAt = new Map<string, number>()
  const handledAt = new Map<string, number>()
  let relay: Relay | undefined
  const consumer = consume({
    broker,
    queue: QUEUE,
    logger,
    async transaction(work) {
      let handled: string | undefined
      const result = await inTransaction(pool, (trx) =>
        work({
          raw(text, bindings) {
            if (text.startsWith('insert into banyan.inbox ')) handled = String(bindings?.[1])
            return trx.raw(text, bindings)
          },
        }),
      )
      if (handled !== undefined) handledAt.set(handled, performance.now())
      return result
    },
    handlers: {
      async Benchmarked({ id }, tools) {
        await tools.sql.raw('insert into handled (event_id) values (?)', [id])
      },
    },
  })
  try {
    relay = startRelay({ connectionString: databaseUrl, broker, logger })
    await consumer.ready
    await poll(() => relay?.stats().leading === true)
    const start = performance.now()
    const total = RATE * RATE_SECONDS
    for (let n = 0; n < total; n++) {
      const wait = start + (n * 1_000) / RATE - performance.now()
      if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait))
      const event = { context: 'bench', stream: `stream-${n % STREAMS}`, type: 'Benchmarked', version: 1 }
      const id = await append(sql, { ...event, payload: { n, pad: 'x'.repeat(PADDING) } })
      committedAt.set(id, performance.now())
    }
    await poll(() => handledAt.size >= total)
  } finally {
    await consumer.close()
    await relay?.close()
  }
  const took = [...committedAt].map(([id, at]) => (handledAt.get(id) ?? Number.NaN) - at).sort((a, b) => a - b)
  const at = (share: number) => took[Math.floor(took.length * share)] ?? Number.NaN
  return {
    figure: `commit → handled at ${RATE}/s, p99`,
    value: at(0.99),
    unit: 'ms',
    yardstick: `p50 ${Math.round(at(0.5))} ms`,
    ratio: null,
    target: null,
    ok: null,
  }
}

async function emptyQueue(broker: Broker): Promise<void> {
  await broker.remove(QUEUE)
  await broker.declare(eventTopology(QUEUE, ['Benchmarked']))
}

async function open(): Promise<Bench> {
  const database = await createTestDatabase()
  const host = await createTestVhost()
  const pool = new pg.Pool({ connectionString: database.url, max: 20 })
  const sql = fromPg(pool)
  await installOutbox(sql)
  await installInbox(sql)
  await pool.query('create table handled (event_id text primary key)')
  const broker = connectBroker({ url: host.url, name: 'bench', logger })
  return {
    pool,
    sql,
    broker,
    databaseUrl: database.url,
    async close() {
      await broker.close()
      await pool.end()
      await Promise.all([database.drop(), host.drop()])
    },
  }
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now()
  await work()
  return (performance.now() - from) / 1_000
}

async function poll(condition: () => boolean, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`bench: no end within ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
