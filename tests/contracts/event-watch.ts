/** Hears every event of a broker, by a client that shares nothing with the shop's, and holds each to its schema. */
import { connect } from 'amqplib'
import { checkEvent } from './events.ts'

export type EventWatch = {
  /** The types heard so far, each once, in the order of the alphabet. */
  types(): string[]
  /** What was wrong with events so far, one line a fault. */
  faults(): string[]
  close(): Promise<void>
}

const EXCHANGE = 'banyan.events'
const ATTRIBUTES = ['id', 'source', 'type', 'subject', 'time', 'specversion', 'dataversion', 'sequence'] as const

/** @param url the AMQP URL of the virtual host; its account may make a queue */
export async function watchEvents(url: string): Promise<EventWatch> {
  const connection = await connect(url)
  const channel = await connection.createChannel()
  await channel.assertExchange(EXCHANGE, 'topic', { durable: true })
  const { queue } = await channel.assertQueue('', { exclusive: true })
  await channel.bindQueue(queue, EXCHANGE, '#')
  const heard = new Set<string>()
  const faults: string[] = []
  await channel.consume(
    queue,
    (message) => {
      if (!message) return
      const { headers = {} } = message.properties
      heard.add(message.fields.routingKey)
      const missing = ATTRIBUTES.filter((name) => typeof headers[`ce-${name}`] !== 'string')
      const event = { type: headers['ce-type'], version: Number(headers['ce-dataversion']) }
      faults.push(
        ...missing.map((name) => `${message.fields.routingKey}: the header ce-${name} is missing`),
        ...(missing.length > 0 ? [] : checkEvent({ ...event, payload: JSON.parse(message.content.toString()) })),
      )
    },
    { noAck: true },
  )
  return {
    types: () => [...heard].sort(),
    faults: () => [...faults],
    close: () => connection.close(),
  }
}
