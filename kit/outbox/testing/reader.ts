// The independent witness: amqplib, which shares no line with the client that the kit uses.

import { type Channel, type ChannelModel, type ConsumeMessage, connect } from 'amqplib'

export interface Reader {
  channel: Channel
  messages: ConsumeMessage[]
  /** `ce-id` of each message, in the order of arrival. */
  ids(): string[]
  close(): Promise<void>
}

/** Reads, and acknowledges, everything that comes to a queue. */
export async function readQueue(url: string, queue: string): Promise<Reader> {
  const connection: ChannelModel = await connect(url)
  connection.on('error', () => undefined)
  const channel = await connection.createChannel()
  const messages: ConsumeMessage[] = []
  await channel.prefetch(1_000)
  await channel.consume(queue, (message) => {
    if (!message) return
    messages.push(message)
    channel.ack(message)
  })
  return {
    channel,
    messages,
    ids: () => messages.map((message) => String(message.properties.headers?.['ce-id'])),
    close: () => connection.close(),
  }
}
