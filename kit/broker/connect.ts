import { Connection } from 'rabbitmq-client'
import type { Broker, Log, Publisher, Subscription } from './port.ts'
import { createPublisher } from './publisher.ts'
import { pull } from './pull.ts'
import { subscribe } from './subscribe.ts'
import { subscribeBatches } from './subscribe-batches.ts'
import { declareTopology } from './topology.ts'

export interface ConnectOptions {
  /** `amqp://user:password@host:port/vhost` */
  url: string
  /** Shown in the broker's list of connections. */
  name: string
  logger: Log
  /** Seconds; a dead peer is noticed after about two of them. @default 10 */
  heartbeat?: number
}

/** By then the heartbeat has stopped that would notice a broker which has gone silent. */
const FAREWELL_MS = 1_000

/**
 * Connects to RabbitMQ, now or as soon as it can be reached, and again whenever the connection is lost. Publishing
 * and consuming have a connection each, because a broker short of memory or disk stops reading from those that
 * publish, and acknowledgements must not be stuck behind.
 */
export function connectBroker({ url, name, logger, heartbeat = 10 }: ConnectOptions): Broker {
  const open = (purpose: string): Connection => {
    const connection = new Connection({
      url,
      connectionName: `${name} ${purpose}`,
      heartbeat,
      noDelay: true,
      acquireTimeout: 5_000,
      retryLow: 100,
      retryHigh: 1_000,
      // The broker's own maximum; the client's default of 8 KiB cuts bodies into many frames.
      frameMax: 131_072,
    })
    connection.on('error', (error: unknown) => logger.warn({ err: error, purpose }, 'broker connection failed'))
    connection.on('connection', () => logger.info({ purpose }, 'broker connected'))
    return connection
  }
  const publishing = open('publish')
  const consuming = open('consume')
  const publishers = new Set<Publisher>()
  const subscriptions = new Set<Subscription>()
  let closing: Promise<void> | undefined

  const keep = (created: Subscription): Subscription => {
    const subscription: Subscription = {
      ...created,
      async close() {
        subscriptions.delete(subscription)
        await created.close()
      },
    }
    subscriptions.add(subscription)
    return subscription
  }
  return {
    publisher(options) {
      const created = createPublisher(publishing, logger, options)
      const publisher: Publisher = {
        ...created,
        async close() {
          publishers.delete(publisher)
          await created.close()
        },
      }
      publishers.add(publisher)
      return publisher
    },
    subscribe: (options) => keep(subscribe(consuming, logger, options)),
    subscribeBatches: (options) => keep(subscribeBatches(consuming, logger, options)),
    declare: (topology) => declareTopology(consuming, topology),
    pull: (options, settle) => pull(consuming, options, settle),
    async remove(queue) {
      await consuming.queueDelete(queue)
    },
    async depth(queue) {
      const { messageCount } = await consuming.queueDeclare({ queue, passive: true })
      return messageCount
    },
    ready: () => publishing.ready && consuming.ready,
    close() {
      closing ??= shutDown()
      return closing
    },
  }

  async function shutDown(): Promise<void> {
    await Promise.all([...subscriptions].map((subscription) => subscription.close()))
    await Promise.all([...publishers].map((publisher) => publisher.close()))
    await Promise.all([leave(publishing), leave(consuming)])
  }
}

async function leave(connection: Connection): Promise<void> {
  const timer = setTimeout(() => connection.unsafeDestroy(), FAREWELL_MS)
  await connection.close()
  clearTimeout(timer)
}
