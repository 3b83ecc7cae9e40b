/** What kit/outbox/README.md says to do after the broker has lost its queues, done. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventTopology } from '../broker/index.ts'
import { startRelay } from '../outbox/index.ts'
import { createWorld, until, type World } from '../outbox/testing/world.ts'
import { consume } from './index.ts'

const QUEUE = 'banyan.orders'
const [SEND_AGAIN = ''] =
  /update banyan\.outbox set published_at = null[^;]*;/.exec(
    readFileSync(join(import.meta.dirname, '../outbox/README.md'), 'utf8'),
  ) ?? []
let world: World

beforeEach(async () => {
  world = await createWorld()
  await world.pool.query('create table effects (stream text)')
  await world.broker.declare(eventTopology(QUEUE, ['Happened']))
  const relay = startRelay({ connectionString: world.databaseUrl, broker: world.broker, logger: world.log })
  world.onClose(() => relay.close())
})
afterEach(() => world.close())

function start() {
  const consumer = consume({
    broker: world.broker,
    queue: QUEUE,
    transaction: world.transaction,
    logger: world.log,
    handlers: {
      async Happened({ stream }, { sql }) {
        await sql.raw('insert into effects (stream) values (?)', [stream])
      },
    },
  })
  world.onClose(() => consumer.close())
  return consumer
}

async function happens(...streams: string[]): Promise<void> {
  for (const stream of streams)
    await world.pool.query("select banyan.emit('orders', $1, 'Happened', 1, '{}')", [stream])
  await until('all are published', async () => {
    const { rows } = await world.pool.query('select from banyan.outbox where published_at is null')
    return rows.length === 0
  })
}

// Sorted: only the events of one stream are handled in order.
async function effects(): Promise<string[]> {
  const { rows } = await world.pool.query('select stream from effects')
  return rows.map(({ stream }) => stream).sort()
}

test('events that were lost with their queue come by one statement, and those that were handled have no second effect', async () => {
  const before = start()
  await happens('one', 'two')
  await until('they are handled', () => before.stats().handled === 2)
  await before.close()
  await happens('lost', 'lost too')

  await world.api('DELETE', `queues/${world.vhost}/${QUEUE}`)
  await world.broker.declare(eventTopology(QUEUE, ['Happened']))
  const after = start()
  await happens('later')
  await until('the later one is handled', () => after.stats().handled === 1)
  expect(await effects()).toEqual(['later', 'one', 'two'])

  await world.pool.query(SEND_AGAIN)
  await until('every event has come', () => after.stats().handled + after.stats().duplicates === 6)
  expect(await effects()).toEqual(['later', 'lost', 'lost too', 'one', 'two'])
})
