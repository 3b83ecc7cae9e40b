import type { AsyncMessage, Channel, Connection } from 'rabbitmq-client'
import type { Log, Subscription, Topology } from './port.ts'
import { declareTopology } from './topology.ts'

export interface Delivery {
  message: AsyncMessage
  channel: Channel
}

export interface DeliveryLoopOptions {
  queue: string
  prefetch: number
  topology?: Topology
  arguments?: Record<string, string | number | boolean>
  exclusive?: boolean
  paused?: boolean
  onDelivery(delivery: Delivery): void
  /** Resolves when no callback works on a delivery any more; asked, once nothing new comes, before the channel goes. */
  idle(): Promise<void>
}

const RETRY_LOW_MS = 100
const RETRY_HIGH_MS = 5_000

/**
 * Keeps one consumer on a queue through lost channels, lost connections and deleted queues. It does not wait for
 * callbacks that run when the channel is lost: what they work on is delivered again, and whoever handles it has to
 * recognise it.
 */
export function startDeliveryLoop(connection: Connection, log: Log, options: DeliveryLoopOptions): Subscription {
  const { queue } = options
  let wanted = options.paused !== true
  let closed = false
  let consuming = false
  let interrupt: (() => void) | undefined
  let tellReady: () => void = () => undefined
  const ready = new Promise<void>((resolve) => {
    tellReady = resolve
  })
  let running = run()

  return {
    ready,
    active: () => consuming,
    pause: stop,
    resume() {
      if (closed || wanted) return
      wanted = true
      running = running.then(run)
    },
    async close() {
      closed = true
      await stop()
    },
  }

  async function run(): Promise<void> {
    let attempts = 0
    while (wanted) {
      try {
        await consume(() => {
          attempts = 0
          tellReady()
        })
        if (wanted) log.info({ queue }, 'consumer lost; consuming again')
      } catch (error) {
        if (attempts === 0) log.warn({ err: error, queue }, 'cannot consume; trying again until it works')
      }
      if (wanted)
        await interruptible((done) => setTimeout(done, Math.min(RETRY_HIGH_MS, RETRY_LOW_MS * 2 ** attempts++)))
    }
  }

  /** Resolves when consuming has ended, for whatever reason. */
  async function consume(started: () => void): Promise<void> {
    if (options.topology) await declareTopology(connection, options.topology)
    const channel = await connection.acquire({ emitErrorsFromChannel: true })
    channel.on('error', (error: unknown) => log.warn({ err: error, queue }, 'consume channel failed'))
    try {
      await channel.basicQos({ prefetchCount: options.prefetch })
      const { consumerTag } = await channel.basicConsume(
        { queue, exclusive: options.exclusive, arguments: options.arguments },
        (message: AsyncMessage) => options.onDelivery({ message, channel }),
      )
      consuming = true
      started()
      await interruptible((done) => {
        channel.once('close', done)
        // The queue was deleted or moved: the channel lives on, but nothing will ever come on it.
        channel.once('basic.cancel', done)
        if (!channel.active) done()
      })
      consuming = false
      if (channel.active) {
        await channel.basicCancel({ consumerTag }).catch((error) => log.debug({ err: error, queue }, 'cancel failed'))
        // Acknowledgements of what is in hand still go out on this channel, so it closes after the last of them.
        await options.idle()
      }
    } finally {
      consuming = false
      await channel.close()
    }
  }

  async function stop(): Promise<void> {
    wanted = false
    interrupt?.()
    await running
    await options.idle()
  }

  /** Waits for `done`, or for `stop`. */
  function interruptible(start: (done: () => void) => unknown): Promise<void> {
    if (!wanted) return Promise.resolve()
    return new Promise((resolve) => {
      interrupt = resolve
      start(resolve)
    })
  }
}
