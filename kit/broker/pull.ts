import type { Connection, SyncMessage } from 'rabbitmq-client'
import { fromDelivery } from './message.ts'
import type { IncomingMessage, PullOptions } from './port.ts'

/** Takes messages one by one, and puts back those that are not settled by closing the channel they came on. */
export async function pull(
  connection: Connection,
  { queue, max }: PullOptions,
  settle: (messages: readonly IncomingMessage[]) => Promise<readonly boolean[]>,
): Promise<void> {
  const channel = await connection.acquire({ emitErrorsFromChannel: true })
  try {
    const taken: SyncMessage[] = []
    while (taken.length < max) {
      const message = await channel.basicGet({ queue })
      if (!message) break
      taken.push(message)
    }
    const settled = await settle(taken.map((message) => fromDelivery(message, () => channel.active)))
    taken.forEach(({ deliveryTag }, index) => {
      if (settled[index]) channel.basicAck({ deliveryTag })
    })
  } finally {
    await channel.close()
  }
}
