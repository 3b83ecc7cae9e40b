import { type Broker, type Log, PublishError, type Publisher } from '../broker/index.ts'
import { failPoint } from '../service/fail-points.ts'
import type { Sql } from '../sql.ts'
import { isLively, LIVELY_MS, onAppend } from './activity.ts'
import { type OutboxRow, toMessage } from './envelope.ts'
import type { Meter } from './meter.ts'
import { markPublished, readUnpublished } from './queries.ts'
import { createStreamGate } from './stream-gate.ts'
import { traceSending } from './trace.ts'

export interface PumpOptions {
  /** The leader's own session: where it is lost, no mark of this pump can be made any more. */
  sql: Sql
  broker: Broker
  publisher: Publisher
  exchange: string
  window: number
  pollMs: number
  idlePollMs: number
  meter: Meter
  log: Log
}

const DRAIN_MS = 2_000

/**
 * Publishes unpublished rows and marks what was confirmed, until `signal` aborts or the session fails. Reading and
 * marking are single statements: no transaction is open while a message is on its way.
 */
export async function pump(options: PumpOptions, signal: AbortSignal): Promise<void> {
  const { sql, broker, publisher, exchange, window, pollMs, idlePollMs, meter, log } = options
  const gate = createStreamGate()
  /** Rows sent and not marked yet, which must not be read again. */
  const underWay = new Set<string>()
  let confirmed: string[] = []
  let onProgress: () => void = () => undefined
  let lastRowAt = 0

  while (!signal.aborted) {
    const polledAt = Date.now()
    const room = window - underWay.size
    const rows = await readMore(room)
    for (const row of rows) send(row)
    if (rows.length > 0) lastRowAt = polledAt
    await progress()
    await mark()
    meter.troubled(gate.size())
    const thereIsMore = rows.length > 0 && rows.length === room
    if (!thereIsMore) await pause(polledAt)
  }
  const deadline = Date.now() + DRAIN_MS
  while (unconfirmed() > 0 && Date.now() < deadline) await progress()
  await mark()

  async function readMore(room: number): Promise<OutboxRow[]> {
    // Small reads cost as much as large ones, so a nearly full window first empties a little.
    if (room < window / 4 || !broker.ready()) return []
    const { except, only } = gate.select(Date.now())
    return await readUnpublished(sql, { limit: room, except: [...underWay], exceptStreams: except, onlyStreams: only })
  }

  function send(row: OutboxRow): void {
    if (!gate.admit(row)) return
    underWay.add(row.id)
    const sending = traceSending(row, exchange)
    publisher
      .publish(toMessage(row, exchange, sending.headers))
      .then(
        () => {
          sending.ended()
          settle(row)
        },
        (error: unknown) => {
          sending.ended(error)
          fail(row, error)
        },
      )
      .finally(() => {
        if (unconfirmed() === 0 || confirmed.length >= window / 2) onProgress()
      })
  }

  function settle(row: OutboxRow): void {
    gate.confirmed(row)
    meter.confirmed(row.created_at)
    confirmed.push(row.id)
  }

  function fail(row: OutboxRow, error: unknown): void {
    const fault = error instanceof PublishError ? error.fault : 'lost'
    gate.failed(row, fault, Date.now())
    underWay.delete(row.id)
    if (meter.failed(fault, row.type)) {
      log.error(
        { err: error, fault, type: row.type, stream: row.stream },
        'event not published; it stays in the outbox',
      )
    }
  }

  function unconfirmed(): number {
    return underWay.size - confirmed.length
  }

  /** Until everything is settled, or half a window is confirmed, or for a poll's time. */
  async function progress(): Promise<void> {
    if (unconfirmed() === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pollMs)
      onProgress = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async function mark(): Promise<void> {
    if (confirmed.length === 0) return
    await failPoint('relay.after-publish')
    const ids = confirmed
    confirmed = []
    await markPublished(sql, ids)
    for (const id of ids) underWay.delete(id)
    meter.marked(ids.length)
    await failPoint('relay.after-mark')
  }

  /** Up to the next poll. An append in this process cuts an idle pause short; its row is there with its commit. */
  async function pause(polledAt: number): Promise<void> {
    const busy = isLively() || polledAt - lastRowAt < LIVELY_MS || underWay.size > 0 || gate.size() > 0
    const ms = polledAt + (busy ? pollMs : idlePollMs) - Date.now()
    if (ms <= 0 || signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms)
    const ignore = busy ? undefined : onAppend(resolve)
    const end = () => resolve()
    signal.addEventListener('abort', end)
    await promise
    signal.removeEventListener('abort', end)
    clearTimeout(timer)
    ignore?.()
  }
}
