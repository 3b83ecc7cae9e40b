import type { Channel, Connection, ReturnedMessage } from 'rabbitmq-client'
import { amqpCode, PublishError, type PublishFault } from './errors.ts'
import { toEnvelope } from './message.ts'
import type { Log, OutgoingMessage, Publisher, PublisherOptions } from './port.ts'

interface Job {
  message: OutgoingMessage
  settle(error?: PublishError): void
}

/**
 * Confirmed, mandatory, persistent publishing with a bounded window on a channel of its own. A message is sent once:
 * trying again is the caller's, who alone knows what must not overtake it.
 */
export function createPublisher(connection: Connection, log: Log, options: PublisherOptions = {}): Publisher {
  const window = options.window ?? 1000
  const confirmTimeoutMs = options.confirmTimeoutMs ?? 10_000
  const failed: Record<PublishFault, number> = { nack: 0, returned: 0, timeout: 0, lost: 0, closed: 0 }
  const returned = new Set<string>()
  const waiting = new Set<Job>()
  let confirmed = 0
  let inFlight = 0
  let blocked = false
  let closed = false
  let channel: Promise<Channel> | undefined

  const onBlocked = (reason: string) => {
    blocked = true
    log.warn({ reason }, 'the broker blocks publishing')
  }
  const onUnblocked = () => {
    blocked = false
    startWaiting()
  }
  connection.on('connection.blocked', onBlocked)
  connection.on('connection.unblocked', onUnblocked)
  connection.on('connection', onUnblocked)

  return {
    publish: (message) => new Promise((resolve, reject) => enter(message, resolve, reject)),
    stats: () => ({ inFlight, confirmed, failed: { ...failed }, blocked }),
    close,
  }

  function enter(message: OutgoingMessage, resolve: () => void, reject: (error: PublishError) => void): void {
    if (closed) {
      reject(fault('closed', `publisher closed before ${message.messageId} was sent`))
      return
    }
    const job: Job = {
      message,
      settle(error) {
        clearTimeout(timer)
        if (error) {
          failed[error.fault]++
          reject(error)
        } else {
          resolve()
        }
      },
    }
    const timer = setTimeout(() => overdue(job), confirmTimeoutMs)
    // Only with nothing waiting may a message go straight on; else it would overtake those that do.
    if (waiting.size === 0 && hasRoom()) start(job)
    else waiting.add(job)
  }

  function start(job: Job): void {
    inFlight++
    send(job.message)
      .then(
        () => {
          confirmed++
          job.settle()
        },
        (error: PublishError) => job.settle(error),
      )
      // Not before: the slot of an overdue message is kept until its confirm comes or the channel is lost. A stalled
      // socket would otherwise take in, and buffer, a whole window with every attempt.
      .finally(() => {
        inFlight--
        startWaiting()
      })
  }

  async function send(message: OutgoingMessage): Promise<void> {
    try {
      // Everyone awaits the same promise, settled or not, so messages leave in the order they came in.
      channel ??= acquire()
      await (await channel).basicPublish(toEnvelope(message), message.body)
    } catch (error) {
      returned.delete(message.messageId)
      throw fault(amqpCode(error) === 'NACK' ? 'nack' : 'lost', `${describe(message)}: ${String(error)}`, error)
    }
    // The client resolves the confirm before it emits the return that came ahead of it.
    await new Promise(setImmediate)
    if (returned.delete(message.messageId)) {
      throw fault('returned', `${describe(message)}: no queue is bound for this routing key; bind one`)
    }
  }

  async function acquire(): Promise<Channel> {
    try {
      const fresh = await connection.acquire({ emitErrorsFromChannel: true })
      fresh.on('error', (error: unknown) => log.warn({ err: error }, 'publish channel failed'))
      fresh.on('basic.return', (message: ReturnedMessage) => {
        if (message.messageId !== undefined) returned.add(message.messageId)
      })
      fresh.once('close', () => {
        channel = undefined
      })
      await fresh.confirmSelect()
      return fresh
    } catch (error) {
      channel = undefined
      throw error
    }
  }

  function hasRoom(): boolean {
    return inFlight < window && !blocked
  }

  function startWaiting(): void {
    for (const job of waiting) {
      if (!hasRoom()) return
      waiting.delete(job)
      start(job)
    }
  }

  function overdue(job: Job): void {
    const sent = !waiting.delete(job)
    const why = sent ? 'no confirm' : blocked ? 'the broker blocks publishing' : `${inFlight} messages are unconfirmed`
    job.settle(fault('timeout', `${describe(job.message)}: ${why} for ${confirmTimeoutMs} ms`))
  }

  async function close(): Promise<void> {
    if (closed) return
    closed = true
    for (const job of waiting) {
      waiting.delete(job)
      job.settle(fault('closed', `publisher closed before ${job.message.messageId} was sent`))
    }
    connection.off('connection.blocked', onBlocked)
    connection.off('connection.unblocked', onUnblocked)
    connection.off('connection', onUnblocked)
    const open = await channel?.catch(() => undefined)
    await open?.close()
  }
}

function describe(message: OutgoingMessage): string {
  return `publish ${message.messageId} to "${message.exchange}" for "${message.routingKey}"`
}

function fault(kind: PublishFault, message: string, cause?: unknown): PublishError {
  return new PublishError(kind, message, { cause })
}
