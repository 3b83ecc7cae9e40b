import { randomBytes } from 'node:crypto'
import amqp from 'amqplib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestVhost, rabbitApi } from '../../tests/support/infra.ts'
import { brokerDefinitions, importDefinitions, shopAccounts, VHOST } from './broker.ts'
import { SERVICES } from './services.ts'

type Channel = Awaited<ReturnType<Awaited<ReturnType<typeof amqp.connect>>['createConfirmChannel']>>
type Deed = (channel: Channel) => Promise<unknown>

const QUORUM = { arguments: { 'x-queue-type': 'quorum' } }
let vhost: Awaited<ReturnType<typeof createTestVhost>>
const connections = new Map<string, Awaited<ReturnType<typeof amqp.connect>>>()

beforeAll(async () => {
  vhost = await createTestVhost()
  const place = new URL(vhost.url).pathname.slice(1)
  const run = randomBytes(4).toString('hex')
  const passwords = Object.fromEntries(
    ['monolith', 'notification-service', 'shipping-service', 'mover'].map((name) => [
      name,
      randomBytes(8).toString('hex'),
    ]),
  )
  // The broker is shared with other tests: names and virtual host are this test's own, the rights are the shop's.
  const accounts = shopAccounts(passwords).map((account) => ({
    ...account,
    name: `${account.name}-${run}`,
    permissions: { [place]: account.permissions[VHOST]! },
  }))
  await importDefinitions(rabbitApi(), brokerDefinitions(accounts, place))
  for (const [name, password] of Object.entries(passwords)) {
    const url = new URL(vhost.url)
    url.username = `${name}-${run}`
    url.password = password
    connections.set(name, await amqp.connect(url.href))
  }
})
afterAll(async () => {
  await Promise.all([...connections.values()].map((connection) => connection.close()))
  await vhost.drop()
})

/** @returns `done`, or the broker's code of the error that closed the channel */
async function tried(name: string, deed: Deed): Promise<unknown> {
  const channel = await connections.get(name)!.createConfirmChannel()
  const refused = new Promise((resolve) => channel.once('error', (error: { code?: number }) => resolve(error.code)))
  const done = deed(channel).then(
    () => 'done',
    () => refused,
  )
  const result = await Promise.race([done, refused])
  if (result === 'done') await channel.close()
  return result
}

const get =
  (queue: string): Deed =>
  (channel) =>
    channel.get(queue, { noAck: true })
const make =
  (queue: string): Deed =>
  (channel) =>
    channel.assertQueue(queue, QUORUM)
const bind =
  (queue: string, exchange: string): Deed =>
  (channel) =>
    channel.bindQueue(queue, exchange, 'any')
const publish =
  (exchange: string, key: string): Deed =>
  async (channel) => {
    channel.publish(exchange, key, Buffer.from('{}'))
    await channel.waitForConfirms()
  }

it('a service has the queues of its context and the exchanges of events, and nothing else', async () => {
  const may: Deed[] = [make('banyan.notifications'), make('banyan.notifications.dead')]
  may.push(bind('banyan.notifications', 'banyan.events'), bind('banyan.notifications.dead', 'banyan.dead'))
  may.push(publish('banyan.dead', 'any'), get('banyan.notifications'))
  for (const deed of may) expect(await tried('notification-service', deed)).toBe('done')

  const mayNot: Deed[] = [make('banyan.orders'), get('banyan.orders'), bind('banyan.orders', 'banyan.events')]
  mayNot.push(
    get('banyan.archive'),
    get('banyan.notifications.dead'),
    make('amq.gen-own'),
    publish('', 'banyan.orders'),
  )
  mayNot.push(
    (channel) => channel.deleteExchange('banyan.events'),
    (channel) => channel.deleteQueue('banyan.archive'),
  )
  for (const deed of mayNot) expect(await tried('notification-service', deed)).toBe(403)
})

it.each(['monolith', 'notification-service'])(
  '%s comes near no lane of changes, whose rows hold secrets',
  async (name) => {
    const lane = 'banyan.changes.users.service'
    for (const deed of [make('banyan.changes'), publish('banyan.changes', 'users.service')])
      expect(await tried(name, deed)).toBe(403)
    await tried('mover', (channel) => channel.assertExchange('banyan.changes', 'direct'))
    expect(await tried('mover', make(lane))).toBe('done')
    const deeds = [make(lane), get(lane), publish('banyan.changes', 'users.service'), bind(lane, 'banyan.changes')]
    deeds.push(bind('banyan.notifications', 'banyan.changes'), (channel) => channel.purgeQueue(lane))
    for (const deed of deeds) expect(await tried(name, deed)).toBe(403)
  },
)

it('a service tells the events of its context, the monolith those of all, and nobody another one', async () => {
  expect(await tried('shipping-service', publish('banyan.events', 'ShipmentDispatched'))).toBe('done')
  for (const type of ['OrderPlaced', 'ShipmentDispatchedToo', 'any'])
    expect(await tried('shipping-service', publish('banyan.events', type))).toBe(403)
  expect(await tried('notification-service', publish('banyan.events', 'OrderPlaced'))).toBe(403)
  for (const type of SERVICES.flatMap((row) => row.tells))
    expect(await tried('monolith', publish('banyan.events', type))).toBe('done')
  expect(await tried('monolith', publish('banyan.events', 'any'))).toBe(403)
})

it('the monolith has the queues of every context, for each may come back to it', async () => {
  for (const context of ['notifications', 'shipping', 'inventory', 'users', 'payments', 'orders'])
    for (const deed of [
      make(`banyan.${context}`),
      bind(`banyan.${context}`, 'banyan.events'),
      get(`banyan.${context}`),
    ])
      expect(await tried('monolith', deed)).toBe('done')
  expect(await tried('monolith', get('banyan.archive'))).toBe(403)
})

it('the mover has its lanes, and puts dead letters back; no event is its to read or to write', async () => {
  expect(await tried('monolith', make('banyan.orders.dead'))).toBe('done')
  expect(await tried('mover', get('banyan.orders.dead'))).toBe('done')
  expect(await tried('mover', publish('', 'banyan.orders'))).toBe('done')
  for (const deed of [get('banyan.orders'), publish('banyan.events', 'any'), make('banyan.orders')])
    expect(await tried('mover', deed)).toBe(403)
})
