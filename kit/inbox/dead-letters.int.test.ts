import { afterEach, beforeEach, expect, test } from 'vitest'
import { EVENTS_EXCHANGE, eventTopology } from '../broker/index.ts'
import { createWorld, until, type World } from '../outbox/testing/world.ts'
import { consume, countDeadLetters, replay } from './index.ts'

const QUEUE = 'banyan.orders'
/** More than are in memory together. */
const MANY = 1_005
let world: World
beforeEach(async () => {
  world = await createWorld()
  await world.broker.declare(eventTopology(QUEUE, ['Stray']))
})
afterEach(() => world.close())

async function publishAll(): Promise<void> {
  const publisher = world.broker.publisher()
  const publish = (id: string) =>
    publisher.publish({
      exchange: EVENTS_EXCHANGE,
      routingKey: 'Stray',
      messageId: id,
      body: Buffer.from('{}'),
      headers: {
        'ce-id': id,
        'ce-source': '/orders',
        'ce-type': 'Stray',
        'ce-subject': `order-${id}`,
        'ce-time': new Date().toISOString(),
        'ce-dataversion': '1',
        'ce-sequence': `1.${id}`,
      },
    })
  await Promise.all(Array.from({ length: MANY }, (_, n) => publish(String(n))))
}

test('replays all that are there, page by page, and leaves what dies again for the next time', async () => {
  // Nobody handles the type, so each dies at once, and again as soon as it is back.
  const consumer = consume({
    broker: world.broker,
    queue: QUEUE,
    transaction: world.transaction,
    logger: world.log,
    handlers: {},
  })
  world.onClose(() => consumer.close())
  const dead = (times: number) =>
    until(`all are dead ${times} times`, () => consumer.stats().dead === times * MANY, 20_000)
  await publishAll()
  await dead(1)

  const letters = { broker: world.broker, queue: QUEUE }
  const pages: number[] = []
  expect(await replay({ ...letters, limit: MANY, onPage: ({ taken }) => pages.push(taken) })).toBe(MANY)
  expect(pages).toEqual([1_000, MANY])
  await dead(2)
  expect(await replay(letters)).toBe(MANY)
  await dead(3)

  const count = await countDeadLetters({ ...letters, filter: { ids: ['0', '1004', 'none'] } })
  expect(count).toEqual({ looked: MANY, fitting: 2, missing: ['none'] })
})
