import type { Channel, Connection } from 'rabbitmq-client'
import { amqpCode, TopologyError } from './errors.ts'
import type { Queue, Topology } from './port.ts'

/** Where events go, and where those end that could not be handled. */
export const EVENTS_EXCHANGE = 'banyan.events'
export const DEAD_EXCHANGE = 'banyan.dead'

// RabbitMQ 4 drops after 20 deliveries unless told otherwise, and 3.10 requeues to the back of the queue unless some
// limit is set. Failures are counted by the kit itself.
const DELIVERY_LIMIT = 1_000_000

/** The queue that keeps what was given up on in `queue`. */
export function deadQueueOf(queue: string): string {
  return `${queue}.dead`
}

/**
 * A quorum queue that behaves alike on RabbitMQ 3.10 and 4.x.
 * @param more further queue arguments, such as `x-single-active-consumer`
 */
export function quorumQueue(queue: string, more: NonNullable<Queue['arguments']> = {}): Queue {
  return { queue, arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': DELIVERY_LIMIT, ...more } }
}

/**
 * A queue for events: bound to `exchange` by each of `types`, with a dead-letter queue of its own that loses nothing
 * on the way.
 */
export function eventTopology(queue: string, types: readonly string[], exchange = EVENTS_EXCHANGE): Topology {
  const dead = deadQueueOf(queue)
  return {
    exchanges: [
      { exchange, type: 'topic' },
      { exchange: DEAD_EXCHANGE, type: 'direct' },
    ],
    queues: [
      quorumQueue(dead),
      quorumQueue(queue, {
        'x-dead-letter-exchange': DEAD_EXCHANGE,
        'x-dead-letter-routing-key': queue,
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
      }),
    ],
    bindings: [
      { exchange: DEAD_EXCHANGE, queue: dead, routingKey: queue },
      ...types.map((routingKey) => ({ exchange, queue, routingKey })),
    ],
  }
}

/** One topology of several; what is in two of them is declared twice, which changes nothing. */
export function joinTopologies(all: readonly Topology[]): Topology {
  return {
    exchanges: all.flatMap(({ exchanges = [] }) => exchanges),
    queues: all.flatMap(({ queues = [] }) => queues),
    bindings: all.flatMap(({ bindings = [] }) => bindings),
  }
}

/**
 * Declares what is missing. Where this user may not configure, it checks that the object is there instead.
 * @throws TopologyError when an object exists with other properties, or is missing and may not be made
 */
export async function declareTopology(connection: Connection, topology: Topology): Promise<void> {
  // An error of AMQP closes its channel, so every object gets what is left of the last one or a new one.
  const channels = channelSource(connection)
  try {
    for (const { exchange, type = 'topic' } of topology.exchanges ?? []) {
      await declareOrCheck(
        channels,
        `exchange ${exchange}`,
        (ch) => ch.exchangeDeclare({ exchange, type, durable: true }),
        (ch) => ch.exchangeDeclare({ exchange, type, durable: true, passive: true }),
      )
    }
    for (const { queue, arguments: args } of topology.queues ?? []) {
      await declareOrCheck(
        channels,
        `queue ${queue}`,
        (ch) => ch.queueDeclare({ queue, durable: true, arguments: args }),
        (ch) => ch.queueDeclare({ queue, durable: true, passive: true }),
      )
    }
    for (const binding of topology.bindings ?? []) {
      // A binding has no passive form; where it may not be made, a return will tell that it is missing.
      await declareOrCheck(
        channels,
        `binding ${binding.queue} to ${binding.exchange} by ${binding.routingKey}`,
        (ch) => ch.queueBind(binding),
        () => Promise.resolve(),
      )
    }
  } finally {
    await channels.close()
  }
}

type Step = (channel: Channel) => Promise<unknown>

async function declareOrCheck(channels: ChannelSource, what: string, declare: Step, check: Step): Promise<void> {
  try {
    await declare(await channels.get())
  } catch (error) {
    const code = amqpCode(error)
    if (code === 'PRECONDITION_FAILED') {
      const remedy = 'it exists with other properties; delete it when it is empty, or bring the declaration into line'
      throw new TopologyError(code, `${what}: ${remedy} (${String(error)})`, { cause: error })
    }
    if (code !== 'ACCESS_REFUSED') throw error
    await checkOnly(channels, what, check)
  }
}

async function checkOnly(channels: ChannelSource, what: string, check: Step): Promise<void> {
  try {
    await check(await channels.get())
  } catch (error) {
    const remedy = 'is missing and this user may not make it; have it made by a user with the configure permission'
    throw new TopologyError(amqpCode(error) ?? 'ACCESS_REFUSED', `${what} ${remedy}`, { cause: error })
  }
}

interface ChannelSource {
  get(): Promise<Channel>
  close(): Promise<void>
}

function channelSource(connection: Connection): ChannelSource {
  let channel: Channel | undefined
  return {
    async get() {
      if (!channel?.active) channel = await connection.acquire({ emitErrorsFromChannel: true })
      return channel
    },
    async close() {
      await channel?.close()
    },
  }
}
