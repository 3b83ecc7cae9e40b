import type { Connection } from 'rabbitmq-client'
import { type Delivery, startDeliveryLoop } from './delivery-loop.ts'
import { fromDelivery } from './message.ts'
import type { Log, Outcome, SubscribeOptions, Subscription } from './port.ts'

/** Hands every message to its callback and settles it by what the callback answers. */
export function subscribe(connection: Connection, log: Log, options: SubscribeOptions): Subscription {
  const { queue, onMessage } = options
  const running = new Set<Promise<void>>()

  return startDeliveryLoop(connection, log, {
    ...options,
    onDelivery(delivery) {
      const done: Promise<void> = handle(delivery).finally(() => running.delete(done))
      running.add(done)
    },
    async idle() {
      while (running.size > 0) await Promise.all(running)
    },
  })

  async function handle({ message, channel }: Delivery): Promise<void> {
    let outcome: Outcome
    try {
      outcome = await onMessage(fromDelivery(message, () => channel.active))
    } catch (error) {
      log.error({ err: error, queue, messageId: message.messageId }, 'a message callback failed; requeued')
      outcome = 'requeue'
    }
    // On a lost channel the delivery is the broker's again, and there is nobody to tell.
    if (outcome === 'leave' || !channel.active) return
    const { deliveryTag } = message
    if (outcome === 'ack') channel.basicAck({ deliveryTag })
    else channel.basicNack({ deliveryTag, requeue: outcome === 'requeue' })
  }
}
