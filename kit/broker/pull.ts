import type { Connection, SyncMessage } from 'rabbitmq-client'
import { fromDelivery } from './message.ts'
import type { IncomingMessage, PullOptions } from './port.ts'

/** Messages in memory together. */
const PAGE = 1_000

/** Takes messages one by one, and puts back those that are not settled by closing the channel they came on. */
export async function pull(
  connection: Connection,
  { queue, max }: PullOptions,
  settle: (messages: readonly IncomingMessage[]) => Promise<readonly boolean[]>,
): Promise<void> {
  const channel = await connection.acquire({ emitErrorsFromChannel: true })
  try {
    // What stays is given back at the end alone: given back before, it would come again as the next page.
    for (let left = max; left > 0; ) {
      const taken: SyncMessage[] = []
      while (taken.length < Math.min(PAGE, left)) {
        const message = await channel.basicGet({ queue })
        if (!message) break
        taken.push(message)
      }
      if (taken.length === 0) break
      left -= taken.length
      const settled = await settle(taken.map((message) => fromDelivery(message, () => channel.active)))
      taken.forEach(({ deliveryTag }, index) => {
        if (settled[index]) channel.basicAck({ deliveryTag })
      })
      if (settled.length < taken.length) break
    }
  } finally {
    await channel.close()
  }
}
