import type { Channel, Connection, SyncMessage } from 'rabbitmq-client'
import { fromDelivery } from './message.ts'
import type { IncomingMessage, PullOptions } from './port.ts'

/** Messages in memory together. */
const PAGE = 1_000
/**
 * A quorum queue's end of a channel has 32 acknowledgements under way and keeps the rest until these are done; what it
 * keeps is lost when the channel closes, and the messages are back. A get is answered when all that was under way is
 * done (rabbit_fifo_client.erl: `soft_limit`, `dequeue`).
 */
const ACKS_BETWEEN_GETS = 16

/** Takes messages one by one, and puts back those that are not settled by closing the channel they came on. */
export async function pull(
  connection: Connection,
  { queue, max }: PullOptions,
  settle: (messages: readonly IncomingMessage[]) => Promise<readonly boolean[]>,
): Promise<void> {
  const channel = await connection.acquire({ emitErrorsFromChannel: true })
  const taker = takerOf(channel, queue)
  try {
    // What stays is given back at the end alone: given back before, it would come again as the next page.
    for (let left = max; left > 0; ) {
      const taken = await taker.take(Math.min(PAGE, left))
      if (taken.length === 0) break
      left -= taken.length
      const settled = await settle(taken.map((message) => fromDelivery(message, () => channel.active)))
      await taker.acknowledge(taken.filter((_message, index) => settled[index]))
      if (settled.length < taken.length) break
    }
  } finally {
    await channel.close()
  }
}

function takerOf(channel: Channel, queue: string) {
  /** Came with the answer to a get that was there to wait. */
  const ahead: SyncMessage[] = []
  return {
    async take(most: number): Promise<SyncMessage[]> {
      const taken = ahead.splice(0, most)
      while (taken.length < most) {
        const message = await channel.basicGet({ queue })
        if (!message) break
        taken.push(message)
      }
      return taken
    },
    async acknowledge(messages: readonly SyncMessage[]): Promise<void> {
      for (const [index, { deliveryTag }] of messages.entries()) {
        channel.basicAck({ deliveryTag })
        if ((index + 1) % ACKS_BETWEEN_GETS > 0 && index + 1 < messages.length) continue
        const message = await channel.basicGet({ queue })
        if (message) ahead.push(message)
      }
    },
  }
}
