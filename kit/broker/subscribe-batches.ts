import type { Connection } from 'rabbitmq-client'
import { type Delivery, startDeliveryLoop } from './delivery-loop.ts'
import { fromDelivery } from './message.ts'
import type { Log, SubscribeBatchesOptions, Subscription } from './port.ts'

/**
 * Hands over messages in order, many at a time, one batch after the other. What a batch leaves undone stays in hand
 * and is tried again: giving it back would count against the delivery limit and could let later ones pass.
 */
export function subscribeBatches(connection: Connection, log: Log, options: SubscribeBatchesOptions): Subscription {
  const { queue, maxBatch, maxWaitMs, onBatch, retryMs = 500 } = options
  if (maxBatch < 1) throw new RangeError(`subscribeBatches: maxBatch is ${maxBatch}; it has to be at least 1`)
  let hand: Delivery[] = []
  let batch: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let retrying = false
  let stopping = false

  const subscription = startDeliveryLoop(connection, log, {
    ...options,
    prefetch: maxBatch * 2,
    onDelivery(delivery) {
      hand.push(delivery)
      plan()
    },
    async idle() {
      await batch
    },
  })
  return {
    ...subscription,
    async pause() {
      stopping = true
      clear()
      await subscription.pause()
      hand = []
    },
    resume() {
      stopping = false
      subscription.resume()
    },
    async close() {
      stopping = true
      clear()
      await subscription.close()
      hand = []
    },
  }

  /** @param pauseMs after a batch that was not done to its end; even a full hand waits for it */
  function plan(pauseMs?: number): void {
    if (batch || stopping || hand.length === 0) return
    if (pauseMs === undefined && hand.length >= maxBatch) {
      if (!retrying) begin()
    } else if (!timer) {
      retrying = pauseMs !== undefined
      timer = setTimeout(begin, pauseMs ?? maxWaitMs)
    }
  }

  function clear(): void {
    clearTimeout(timer)
    timer = undefined
    retrying = false
  }

  function begin(): void {
    clear()
    batch = work().then((done) => {
      batch = undefined
      plan(done ? undefined : retryMs)
    })
  }

  /** Answers whether the batch was done to its end. */
  async function work(): Promise<boolean> {
    // What came on a lost channel is delivered again on the next one.
    hand = hand.filter(({ channel }) => channel.active)
    const taken = hand.slice(0, maxBatch)
    if (taken.length === 0) return true
    const done = await attempt(taken)
    const last = taken[done - 1]
    if (last?.channel.active) last.channel.basicAck({ deliveryTag: last.message.deliveryTag, multiple: true })
    const settled = new Set(taken.slice(0, done))
    hand = hand.filter((delivery) => !settled.has(delivery))
    return done === taken.length
  }

  async function attempt(taken: readonly Delivery[]): Promise<number> {
    try {
      const messages = taken.map(({ message, channel }) => fromDelivery(message, () => channel.active))
      const done = await onBatch(messages)
      if (Number.isInteger(done) && done >= 0 && done <= taken.length) return done
      throw new RangeError(`onBatch answered ${done} for a batch of ${taken.length}; it has to be a count within it`)
    } catch (error) {
      log.error({ err: error, queue, size: taken.length }, 'a batch callback failed; the batch is tried again')
      return 0
    }
  }
}
