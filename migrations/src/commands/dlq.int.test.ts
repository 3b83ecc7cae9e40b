import { type Broker, connectBroker, DEAD_EXCHANGE, deadQueueOf, eventTopology } from '@banyan/kit/broker'
import { discard } from '@banyan/kit/inbox'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { cliEnvironment } from '../mover/testing/mover-process.ts'
import { createWorld, until, type World } from '../mover/testing/world.ts'
import { addDlq } from './dlq.ts'
import { runHere } from './testing/run-here.ts'

const QUEUE = 'banyan.goods'
/** More than are in memory together. */
const MANY = 1_203
let world: World
let cli: Awaited<ReturnType<typeof cliEnvironment>>
let broker: Broker
/** The last line of the audit before the test. */
let before: string
beforeAll(async () => {
  world = await createWorld({ rows: 1 })
  cli = await cliEnvironment(world)
  broker = connectBroker({ url: world.urls.amqp, name: 'test', logger: world.settings.logger })
})
afterAll(async () => {
  await broker.close()
  await cli.drop()
  await world.drop()
})
beforeEach(async () => {
  await broker.remove(QUEUE)
  await broker.remove(deadQueueOf(QUEUE))
  await broker.declare(eventTopology(QUEUE, ['Happened']))
  // Nothing is ever deleted there.
  const { rows } = await world.db.control.query('select coalesce(max(id), 0) as id from banyan.audit')
  before = rows[0].id
})

const dlq = (...args: string[]) => runHere([addDlq], cli.env, 'dlq', ...args)
const dead = async (count: number) => {
  const publisher = broker.publisher()
  const died = (id: string) =>
    publisher.publish({
      exchange: DEAD_EXCHANGE,
      routingKey: QUEUE,
      messageId: id,
      body: Buffer.from('{}'),
      headers: { 'ce-id': id, 'ce-type': 'Happened', 'ce-subject': 'goods-1', 'x-banyan-reason': 'failed' },
    })
  await Promise.all(Array.from({ length: count }, (_, n) => died(String(n + 1))))
  await publisher.close()
}
/** What is taken and given back is ready again a moment after its channel is closed. */
const depths = (living: number, lost: number) =>
  until(`${living} in the queue and ${lost} dead letters`, 10_000, async () => {
    const found = await Promise.all([broker.depth(QUEUE), broker.depth(deadQueueOf(QUEUE))])
    return found[0] === living && found[1] === lost
  })
const audited = async () =>
  (await world.db.control.query('select what, new, result from banyan.audit where id > $1 order by id', [before])).rows

it('replays all, however many, and shows how far it is', async () => {
  await dead(MANY)
  expect(await dlq('replay', 'goods', '--all')).toEqual({
    code: 0,
    out: `dlq replay goods: ${MANY}\n`,
    err: `dlq replay goods: 1000 of ${MANY}\ndlq replay goods: ${MANY} of ${MANY}\n`,
  })
  await depths(MANY, 0)
  expect(await audited()).toEqual([{ what: 'dlq replay', new: { taken: MANY, filter: {} }, result: 'done' }])
})

it('finds one behind a thousand others, and discards it alone', async () => {
  await dead(MANY)
  expect(JSON.parse((await dlq('show', 'goods', '1203', '--json')).out)).toMatchObject({ id: '1203' })
  expect(await dlq('discard', 'goods', '1202', '--json')).toMatchObject({ code: 0, err: '' })
  await depths(0, MANY - 1)
  expect((await dlq('show', 'goods', '1202')).code).toBe(2)
})

it('lists the oldest, and says how many more there are', async () => {
  await dead(3)
  const { code, out } = await dlq('list', 'goods', '--limit', '2')
  expect(code).toBe(0)
  expect(out.split('\n')).toEqual([
    expect.stringMatching(/^1 {2}Happened {2}failed/),
    expect.stringMatching(/^2 {2}/),
    'and 1 more: --limit 3 shows all',
    '',
  ])
  await depths(0, 3)
  expect((await dlq('list', 'goods')).out).not.toContain('more')
})

it('keeps in the audit what was taken before it broke off', async () => {
  await dead(2)
  // Nothing can be routed to a queue that is gone.
  await broker.remove(QUEUE)
  expect(await dlq('replay', 'goods', '--all')).toMatchObject({ code: 1 })
  expect(await audited()).toEqual([{ what: 'dlq replay', new: { taken: 0, filter: {} }, result: 'failed' }])
  await broker.declare(eventTopology(QUEUE, ['Happened']))
  await depths(0, 2)
})

it('fails where fewer are there to be taken than it has counted, and says how many it took', async () => {
  await dead(2)
  // It looks into the audit between the two.
  const other = await world.db.control.connect()
  await other.query('begin; lock table banyan.audit in access exclusive mode')
  const discarding = dlq('discard', 'goods', '--all')
  await until('it to have counted', 20_000, async () => {
    const { rowCount } = await world.db.control.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    return rowCount
  })
  await depths(0, 2)
  expect(await discard({ broker, queue: QUEUE, filter: { ids: ['1'] } })).toBe(1)
  await depths(0, 1)
  await other.query('rollback')
  other.release()
  expect(await discarding).toMatchObject({ code: 1, err: expect.stringContaining('dlq discard goods: 1 of 2;') })
  expect(await audited()).toEqual([{ what: 'dlq discard', new: { taken: 1, filter: {} }, result: 'done' }])
})

it('takes nothing that the audit would not know of', async () => {
  await dead(2)
  const { CONTROL_DATABASE_URL: _, ...env } = cli.env
  const { code, err } = await runHere([addDlq], env, 'dlq', 'discard', 'goods', '--all')
  expect([code, err]).toEqual([1, expect.stringContaining('CONTROL_DATABASE_URL is missing')])
  await depths(0, 2)
})

it.each([
  [['list', 'nobody'], '"nobody" is no context; there are: goods'],
  [['show', 'nobody', '1'], '"nobody" is no context; there are: goods'],
  [['replay', 'nobody', '--all'], '"nobody" is no context; there are: goods'],
  [['list', 'goods', '--limit', '-1'], '--limit to be a whole number from 1 on; it is "-1"'],
  [['show', 'goods', '4711'], 'a dead letter 4711 of goods; there is none'],
  [['replay', 'goods'], 'ids, --type or --all: which dead letters are meant'],
  [['discard', 'goods', '1', '--all'], 'either ids or --all; there are both, 1 and --all'],
  [['replay', 'goods', '1', '4711'], '4711 to be among the dead letters of goods: banyan dlq list goods'],
  [['replay', 'goods', '--type', 'Never'], 'Never to be the type of a dead letter of goods: banyan dlq list goods'],
  [['discard', 'goods', '4711', '--dry-run'], '4711 to be among the dead letters of goods: banyan dlq list goods'],
])('refuses %j, says why and changes nothing', async (args, why) => {
  await dead(2)
  expect(await dlq(...args)).toEqual({ code: 2, out: '', err: `refused, waits for: ${why}\n` })
  await depths(0, 2)
  expect(await audited()).toEqual([])
})

it('refuses a context of which no process has declared a queue yet', async () => {
  await broker.remove(deadQueueOf(QUEUE))
  const { code, err } = await dlq('list', 'goods')
  expect([code, err]).toEqual([2, expect.stringContaining('which no process of goods has declared yet')])
})
