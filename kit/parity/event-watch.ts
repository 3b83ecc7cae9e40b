import { type AsyncMessage, Connection } from 'rabbitmq-client'
import { formatOf } from './format.ts'

export type EventWatch = {
  /** Forgets what has arrived. */
  begin(): void
  /** The events that arrived, once there are `expected` of them or the deadline is over. */
  collect(expected: number): Promise<unknown[]>
  close(): Promise<void>
}

const DEADLINE_MS = 5_000

/** Reads along with every event of a context, through a queue of its own that goes with its connection. */
export async function createEventWatch(options: {
  url: string
  exchange: string
  context: string
}): Promise<EventWatch> {
  const { url, exchange } = options
  const source = `/${options.context}`
  const connection = new Connection({ url, connectionName: 'banyan parity', acquireTimeout: 10_000 })
  let broken: unknown
  connection.on('error', (error) => {
    broken = error
  })
  let arrived: unknown[] = []
  let wake: () => void = () => undefined
  const consumer = connection.createConsumer(
    {
      queueOptions: { exclusive: true, autoDelete: true },
      exchanges: [{ exchange, type: 'topic', durable: true }],
      queueBindings: [{ exchange, routingKey: '#' }],
      noAck: true,
    },
    async (message) => {
      if (message.headers?.['ce-source'] !== source) return
      arrived.push(toComparable(message))
      wake()
    },
  )
  consumer.on('error', (error) => {
    broken = error
  })
  await ready(() => broken, consumer)
  return {
    begin() {
      arrived = []
    },
    async collect(expected) {
      const deadline = Date.now() + DEADLINE_MS
      while (arrived.length < expected && Date.now() < deadline) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.max(1, deadline - Date.now()))
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
      const seen = arrived
      arrived = []
      return seen
    },
    async close() {
      await consumer.close()
      await connection.close()
    },
  }
}

async function ready(why: () => unknown, consumer: { once(event: 'ready', listener: () => void): unknown }) {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`events cannot be read: ${String(why() ?? 'no answer')}`)), 10_000)
  })
  await Promise.race([new Promise<void>((resolve) => consumer.once('ready', () => resolve())), late])
  clearTimeout(timer)
}

/**
 * How it was sent, its attributes and its data. Of what is new with each event and each run there is the form, so that
 * an attribute which is missing, or which no subscriber could read, is told from one that is there.
 */
export function toComparable({ routingKey, durable, headers = {}, body }: AsyncMessage): unknown {
  const attributes = Object.fromEntries(
    Object.entries(headers as Record<string, unknown>)
      .filter(([name]) => name.startsWith('ce-'))
      .map(([name, value]) => [name.slice(3), PER_EVENT.has(name) ? formatOf(value) : value]),
  )
  return { routingKey, durable, ...attributes, data: dataOf(body) }
}

const PER_EVENT = new Set(['ce-id', 'ce-time', 'ce-sequence'])

function dataOf(body: unknown): unknown {
  if (!Buffer.isBuffer(body)) return body
  try {
    return JSON.parse(body.toString())
  } catch {
    return body.toString()
  }
}
