import type { IncomingMessage, Log, Outcome, Publisher } from '../broker/index.ts'
import { append, type NewEvent } from '../outbox/append.ts'
import { type Event, toEvent, UnreadableEvent } from '../outbox/envelope.ts'
import { withoutValues } from '../service/error-values.ts'
import { failPoint } from '../service/fail-points.ts'
import { isDatabaseAway } from '../service/problem-details.ts'
import type { Sql } from '../sql.ts'
import { sendToDeadLetters, type Verdict } from './dead-letter.ts'
import type { Failures, InTransaction } from './failures.ts'
import { handleOnce } from './handle-once.ts'
import type { Places } from './lanes.ts'
import { backoffMs, MAX_STARTS, type RetryPolicy } from './retry.ts'
import { traced } from './trace.ts'

export interface HandlerTools {
  /** The transaction that the inbox row is in: whatever the handler writes has to go through it. */
  sql: Sql
  /** Appends to the outbox in that transaction, in the event's trace unless another is given. */
  append(event: NewEvent): Promise<string>
}

export type Handler = (event: Event, tools: HandlerTools) => Promise<void>

/** Thrown inside a transaction that saw that it may not handle this: nothing was done. */
export class NotOwner extends Error {
  override readonly name = 'NotOwner'
}

export interface DeliverOptions {
  queue: string
  consumer: string
  handlers: Readonly<Record<string, Handler>>
  transaction: InTransaction
  /** First in every transaction; throws {@link NotOwner}. */
  requireOwner(sql: Sql): Promise<void>
  failures: Failures
  publisher: Publisher
  retry: RetryPolicy
  places: Places
  log: Log
  /** Waits that long, and answers false when the wait was cut short because consuming stops. */
  wait(ms: number): Promise<boolean>
  /** Consuming stops: what has not begun does not begin. */
  stopping(): boolean
  onNotOwner(): void
  count(what: 'handled' | 'duplicates' | 'failures' | 'dead'): void
}

/** Sees one message through: handled, known already, given up on, or left to be delivered again. */
export async function deliver(options: DeliverOptions, message: IncomingMessage): Promise<Outcome> {
  const { queue, handlers, failures, retry, log, publisher, count } = options
  let event: Event
  try {
    event = toEvent(message)
  } catch (error) {
    if (!(error instanceof UnreadableEvent)) throw error
    return await giveUp({ reason: 'unreadable', attempts: 0, error: error.message })
  }
  const { id } = event
  const handler = Object.hasOwn(handlers, event.type) ? handlers[event.type] : undefined
  if (!handler) return await giveUp({ reason: 'no-handler', attempts: 0, error: `no handler for ${event.type}` })

  let inTrouble = message.redelivered
  /** This delivery's start is among those on record: a try that the database's absence ended does not add another. */
  let counted = false
  let known: Awaited<ReturnType<Failures['find']>>
  for (let tries = 1; ; tries++) {
    if (options.stopping() || !message.live()) return 'leave'
    try {
      if (inTrouble) {
        known = await failures.find(id)
        if (known && known.attempts >= retry.attempts) {
          return await giveUp({ reason: 'failed', attempts: known.attempts, error: known.error ?? '' })
        }
        if (known && known.waitMs > 0 && !(await options.wait(known.waitMs))) return 'leave'
      }
      const result = await attempt(event, handler)
      if (result.outcome !== 'failed') return result.outcome
      inTrouble = true
      counted = false
      count('failures')
      const attempts = await failures.failed(id, describe(result.error), (failed) => backoffMs(retry, failed))
      log.warn({ err: result.error, queue, eventId: id, type: event.type, attempts }, 'handler failed')
    } catch (error) {
      // The database or the broker is away: that is nobody's failed attempt.
      log.warn({ err: error, queue, eventId: id }, 'cannot handle a message now; trying again')
      if (!(await options.wait(backoffMs(retry, Math.min(tries, 10))))) return 'leave'
    }
  }

  type Attempt = { outcome: Outcome } | { outcome: 'failed'; error: unknown }

  async function attempt(event: Event, handler: Handler): Promise<Attempt> {
    // A first delivery has not been begun before. One that comes again may be what ended the process that had it, so
    // its starts are counted before it starts, and the last one it gets, it gets with no other message beside it.
    const before = message.redelivered ? (known?.starts ?? 1) - Number(counted) : 0
    if (before >= MAX_STARTS) {
      const error = `begun ${MAX_STARTS} times and never ended`
      return { outcome: await giveUp({ reason: 'poison', attempts: known?.attempts ?? 0, error }) }
    }
    const { share, alone } = options.places
    return await (before === MAX_STARTS - 1 ? alone : share)(async () => {
      if (options.stopping() || !message.live()) return { outcome: 'leave' }
      // Only now: one that merely waited for its place while another ended the process has done no harm.
      if (message.redelivered && !counted) await failures.started(event.id)
      counted = message.redelivered
      return await inTransaction(event, handler)
    })
  }

  async function inTransaction(event: Event, handler: Handler): Promise<Attempt> {
    let result: 'handled' | 'duplicate'
    try {
      result = await traced(queue, event, () => options.transaction((sql) => once(sql, event, handler)))
    } catch (error) {
      // On a busy machine that can go on for a while; counted, it would bury messages that nothing is wrong with.
      if (isDatabaseAway(error)) throw error
      if (!(error instanceof NotOwner)) return { outcome: 'failed', error }
      options.onNotOwner()
      if (counted) await failures.unstarted(event.id)
      return { outcome: 'leave' }
    }
    await failPoint('inbox.after-commit')
    count(result === 'handled' ? 'handled' : 'duplicates')
    return { outcome: 'ack' }
  }

  async function once(sql: Sql, event: Event, handler: Handler): Promise<'handled' | 'duplicate'> {
    await options.requireOwner(sql)
    const result = await handleOnce(sql, options.consumer, event.id, () => handler(event, tools(sql)))
    if (inTrouble) await failures.forget(sql, event.id)
    await failPoint('inbox.before-commit')
    return result
  }

  async function giveUp(verdict: Verdict): Promise<Outcome> {
    for (let tries = 1; ; tries++) {
      try {
        await sendToDeadLetters(publisher, queue, message, verdict)
        break
      } catch (error) {
        log.warn({ err: error, queue }, 'cannot reach the dead letters; trying again')
        if (!(await options.wait(backoffMs(retry, Math.min(tries, 10))))) return 'leave'
      }
    }
    count('dead')
    const { messageId } = message
    log.error({ queue, messageId, routingKey: message.routingKey, ...verdict }, 'message moved to the dead letters')
    // A replay begins with a clean slate. It is no reason to keep the message that this failed.
    if (messageId) {
      await options
        .transaction((sql) => failures.forget(sql, messageId))
        .catch((error: unknown) =>
          log.warn({ err: error, queue, messageId }, 'cannot forget the failures of a message'),
        )
    }
    return 'ack'
  }
}

function tools(sql: Sql): HandlerTools {
  return { sql, append: (next) => append(sql, next) }
}

/** For the records and the letter, which live longer than a log, and are read by more people. */
function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${withoutValues(error).message}` : String(error)
}
