import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventTopology } from '../broker/index.ts'
import { append, startRelay } from './index.ts'
import { type Child, startChild } from './testing/child.ts'
import { readQueue } from './testing/reader.ts'
import { createWorld, until, type World } from './testing/world.ts'

const QUEUE = 'banyan.test'
const RELAY = new URL('./testing/relay-process.ts', import.meta.url)
let world: World

beforeEach(async () => {
  world = await createWorld()
  await world.broker.declare(eventTopology(QUEUE, ['Happened']))
})
afterEach(() => world.close())

function child(failPoints: string, window?: number): Child {
  const started = startChild(RELAY, { databaseUrl: world.databaseUrl, brokerUrl: world.brokerUrl, failPoints, window })
  world.onClose(async () => {
    started.kill()
    await started.ended
  })
  return started
}

async function appendMany(count: number): Promise<string[]> {
  const { rows } = await world.pool.query(
    `select banyan.emit('orders', 'order-' || i % 5, 'Happened', 1, jsonb_build_object('n', i)) as id
       from generate_series(1, $1) i`,
    [count],
  )
  return rows.map(({ id }) => id)
}

async function unpublished(): Promise<number> {
  const { rows } = await world.pool.query('select count(*)::int as n from banyan.outbox where published_at is null')
  return rows[0].n
}

test.each(['relay.after-publish', 'relay.after-mark'])(
  'a relay killed at %s loses nothing: at worst something comes twice, in order all the same',
  async (point) => {
    const reading = await readQueue(world.brokerUrl, QUEUE)
    world.onClose(() => reading.close())
    const ids = await appendMany(100)
    const killed = child(`${point}=after:2:kill`, 20)
    expect(await killed.ended).toBe('SIGKILL')
    const left = await unpublished()
    expect(left).toBeGreaterThan(0)
    child('', 20)
    await until('the next relay has published the rest', async () => (await unpublished()) === 0)
    await until('all have arrived', () => new Set(reading.ids()).size === ids.length)
    const again = reading.ids().length - ids.length
    expect(again).toBeLessThanOrEqual(20)
    if (point === 'relay.after-publish') expect(again).toBeGreaterThan(0)
    expect([...new Set(reading.ids())]).toEqual(ids)
  },
)

test('a relay that is stopped, not ended, is taken over from within five seconds', async () => {
  const stopped = child('')
  const leader = async () => {
    const { rows } = await world.pool.query(
      `select l.pid from pg_locks l join pg_database d on d.oid = l.database
        where l.locktype = 'advisory' and l.granted and d.datname = current_database()`,
    )
    return rows[0]?.pid as number | undefined
  }
  await until('the child leads', async () => (await leader()) !== undefined)
  const { databaseUrl, broker, log } = world
  const standby = startRelay({ connectionString: databaseUrl, broker, logger: log })
  world.onClose(() => standby.close())
  await until('the standby measures', () => log.lines.some((line) => line.includes('broker connected')))
  process.kill(stopped.pid, 'SIGSTOP')
  const from = Date.now()
  await append(world.sql, { context: 'orders', stream: 'order-1', type: 'Happened', version: 1, payload: {} })
  await until('the standby leads', () => standby.stats().leading, 10_000)
  expect(Date.now() - from).toBeLessThan(5_500)
  await until('it publishes', () => standby.stats().published === 1)
  process.kill(stopped.pid, 'SIGCONT')
  await append(world.sql, { context: 'orders', stream: 'order-1', type: 'Happened', version: 1, payload: {} })
  await until('and goes on', () => standby.stats().published === 2)
  expect(standby.stats().leading).toBe(true)
})
