/** A lane's road over the broker, and the applier at its end. Only the mover may use it: changes hold secrets. */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type Broker, quorumQueue, type Topology } from '@banyan/kit/broker'
import { applyBatch, type BlockedChange } from './apply.ts'
import type { Change, ChangesBroker, Lane, LaneName } from './lane.ts'

export const CHANGES_EXCHANGE = 'banyan.changes'

const BATCH = 500
const READY_MS = 5_000

/** The queue that a lane's changes wait in. */
export function laneQueue(lane: LaneName): string {
  return `banyan.changes.${lane.context}.${lane.toSide}`
}

/** One consumer at a time keeps the queue's order; a second mover waits. */
export function laneTopology(lane: LaneName): Topology {
  return {
    exchanges: [{ exchange: CHANGES_EXCHANGE, type: 'direct' }],
    queues: [quorumQueue(laneQueue(lane), { 'x-single-active-consumer': true })],
    bindings: [{ exchange: CHANGES_EXCHANGE, queue: laneQueue(lane), routingKey: routingKey(lane) }],
  }
}

/** The lanes on RabbitMQ: `remove` deletes a lane's queue with all that is in it, `close` ends the publisher. */
export type ChangesRoad = ChangesBroker & { remove(lane: LaneName): Promise<void>; close(): Promise<void> }

/** The engine's port on `@banyan/kit/broker`. Close `broker` yourself. */
export function changesBroker(broker: Broker): ChangesRoad {
  const publisher = broker.publisher({ window: 1000 })
  const run = randomUUID().slice(0, 8)
  let sent = 0
  return {
    declare: (lane) => broker.declare(laneTopology(lane)),
    remove: (lane) => broker.remove(laneQueue(lane)),
    async publish(lane, messages) {
      const answers = await Promise.allSettled(
        messages.map(({ id, body }) =>
          publisher.publish({
            exchange: CHANGES_EXCHANGE,
            routingKey: routingKey(lane),
            // Returns are matched by it, and the same change may be in flight twice after a refusal.
            messageId: `${id}.${run}.${++sent}`,
            body: Buffer.from(body),
            contentType: 'application/json',
          }),
        ),
      )
      return answers.map((answer) => answer.status === 'fulfilled')
    },
    async consume(lane, handle) {
      const subscription = broker.subscribeBatches({
        queue: laneQueue(lane),
        topology: laneTopology(lane),
        maxBatch: BATCH,
        maxWaitMs: 2,
        retryMs: 200,
        onBatch: (messages) => handle(messages.map((message) => message.body.toString())),
      })
      // A broker that answers no more must not keep whoever starts the lane.
      if (await withinDeadline(subscription.ready)) return subscription
      await subscription.close()
      throw new Error(`${laneQueue(lane)}: nothing could be consumed within ${READY_MS} ms`)
    },
    close: () => publisher.close(),
  }
}

export interface ApplierOptions {
  /** Told when the lane stands before a change, and with null when it goes on. */
  onBlocked(blocked: BlockedChange | null): void
  /** Told of a batch that failed as a whole; it comes again. */
  onError(error: unknown): void
  onApplied?(count: number): void
  /** Asked before each batch: while it says so nothing is applied, and the batch comes again. */
  isPaused?(): boolean
}

/**
 * Applies what the lane's queue holds until it is closed.
 * @param lane asked anew for each batch, because a new attempt brings a new token
 */
export async function startApplier(lane: () => Lane, broker: ChangesBroker, options: ApplierOptions) {
  let blocked = false
  return broker.consume(lane(), async (bodies) => {
    if (options.isPaused?.()) return 0
    try {
      const result = await applyBatch(lane(), bodies.map(parseChange))
      if (result.blocked || blocked) options.onBlocked(result.blocked)
      blocked = result.blocked !== null
      options.onApplied?.(result.done)
      return result.done
    } catch (error) {
      options.onError(error)
      return 0
    }
  })
}

async function withinDeadline(ready: Promise<void>): Promise<boolean> {
  const timer = new AbortController()
  const late = pause(READY_MS, false, { signal: timer.signal }).catch(() => false)
  const inTime = await Promise.race([ready.then(() => true), late])
  timer.abort()
  return inTime
}

function parseChange(body: string): Change {
  return JSON.parse(body) as Change
}

function routingKey(lane: LaneName): string {
  return `${lane.context}.${lane.toSide}`
}
