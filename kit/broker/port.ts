// The port: what the kit asks of a message broker. One implementation stands beside it (connect.ts, on
// rabbitmq-client); nothing outside this folder knows that client.

import type { PublishFault } from './errors.ts'

/** As much of a logger as is used; pino's fits. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Header values that both clients and all broker versions carry unchanged. */
export type Headers = Record<string, string | number | boolean>

export interface OutgoingMessage {
  /** '' is the default exchange: the routing key is then a queue's name. */
  exchange: string
  routingKey: string
  /** What returns are matched by, so it must be unique among the messages in flight. */
  messageId: string
  body: Buffer
  headers?: Headers
  contentType?: string
  type?: string
  timestamp?: Date
}

export interface IncomingMessage {
  messageId: string | undefined
  exchange: string
  routingKey: string
  redelivered: boolean
  headers: Record<string, unknown>
  contentType: string | undefined
  body: Buffer
  /** False once the channel it came on is gone: it cannot be acknowledged any more and will be delivered again. */
  live(): boolean
}

export interface PublisherStats {
  inFlight: number
  confirmed: number
  failed: Record<PublishFault, number>
  blocked: boolean
}

export interface Publisher {
  /**
   * Resolves once the broker has taken responsibility for the message on a queue; rejects with a PublishError
   * otherwise. Messages published one after the other arrive in that order. Waits while the window is full or the
   * broker has blocked the connection, but no longer than the confirm timeout in all.
   */
  publish(message: OutgoingMessage): Promise<void>
  stats(): PublisherStats
  close(): Promise<void>
}

export interface PublisherOptions {
  /** Unconfirmed messages at most. @default 1000 */
  window?: number
  /** From `publish` to the confirm, in milliseconds. @default 10000 */
  confirmTimeoutMs?: number
}

export interface Exchange {
  exchange: string
  type?: 'topic' | 'direct' | 'fanout' | 'headers'
}
export interface Queue {
  queue: string
  arguments?: Record<string, string | number | boolean>
}
export interface Binding {
  exchange: string
  queue: string
  routingKey: string
}
export interface Topology {
  exchanges?: readonly Exchange[]
  queues?: readonly Queue[]
  bindings?: readonly Binding[]
}

interface ConsumeOptions {
  queue: string
  /** Declared before consuming, and again after every reconnect. */
  topology?: Topology
  /** Consumer arguments, such as `x-priority`. */
  arguments?: Record<string, string | number | boolean>
  exclusive?: boolean
  /** Begins only with `resume`. @default false */
  paused?: boolean
}

/**
 * ack: done · requeue: give it back at once · park: to the queue's dead-letter exchange ·
 * leave: say nothing; it goes back, in its old place, when the subscription pauses or its channel is lost
 */
export type Outcome = 'ack' | 'requeue' | 'park' | 'leave'

export interface SubscribeOptions extends ConsumeOptions {
  /** Messages in hand at most. */
  prefetch: number
  /** Called for every message at once, up to `prefetch` of them; a rejection requeues. */
  onMessage(message: IncomingMessage): Promise<Outcome> | Outcome
}

export interface SubscribeBatchesOptions extends ConsumeOptions {
  /** Messages in a batch at most; twice as many are prefetched. */
  maxBatch: number
  /** How long the first message of a batch waits for more. */
  maxWaitMs: number
  /**
   * Gets the oldest messages in hand, in order, and says how many of them, counted from the first, are done. The
   * rest stay in hand, unacknowledged, and come first in the next batch; so does everything after a rejection.
   */
  onBatch(messages: readonly IncomingMessage[]): Promise<number>
  /** Pause after a batch that was not done to its end. @default 500 */
  retryMs?: number
}

export interface Subscription {
  /** Resolves when the broker has begun to deliver for the first time. */
  readonly ready: Promise<void>
  /** Whether it is consuming at this moment (false while reconnecting or paused). */
  active(): boolean
  /** Stops consuming; resolves when no callback runs any more. What was in hand goes back to the queue. */
  pause(): Promise<void>
  resume(): void
  /** `pause`, for good. */
  close(): Promise<void>
}

export interface PullOptions {
  queue: string
  max: number
}

export interface Broker {
  /** Publishers share one connection of their own, which a blocked broker may stop without stopping consumers. */
  publisher(options?: PublisherOptions): Publisher
  subscribe(options: SubscribeOptions): Subscription
  subscribeBatches(options: SubscribeBatchesOptions): Subscription
  /** Idempotent. A user who may not configure only checks that everything is there. */
  declare(topology: Topology): Promise<void>
  /**
   * Takes up to `max` messages, a thousand in memory at a time, and puts back, in order, all but those for which
   * `settle` answers true. An answer for fewer than it was asked about ends it: those are put back as well.
   */
  pull(
    options: PullOptions,
    settle: (messages: readonly IncomingMessage[]) => Promise<readonly boolean[]>,
  ): Promise<void>
  /** Deletes a queue with all that is in it; one that is not there is deleted already. */
  remove(queue: string): Promise<void>
  /** Messages ready in a queue. */
  depth(queue: string): Promise<number>
  /** Whether both connections stand and none is blocked. */
  ready(): boolean
  close(): Promise<void>
}
