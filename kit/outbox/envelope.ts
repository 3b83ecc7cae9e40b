// How an event looks on the wire: CloudEvents 1.0 attributes as AMQP headers `ce-…` and a JSON body.

import type { Headers, IncomingMessage, OutgoingMessage } from '../broker/port.ts'

export interface OutboxRow {
  id: string
  event_id: string
  context: string
  term: string
  stream: string
  type: string
  version: number
  headers: Record<string, unknown>
  /** JSON text: a parsed payload would lose the digits of large numbers. */
  payload: string
  created_at: Date
}

/** An event as a consumer sees it. */
export interface Event<Payload = unknown> {
  id: string
  context: string
  stream: string
  type: string
  version: number
  /** Grows within a stream; see {@link compareSequence}. */
  sequence: string
  time: Date
  payload: Payload
  headers: Readonly<Record<string, string>>
}

/** @param carried the row's own headers, unless others are to go in their place */
export function toMessage(row: OutboxRow, exchange: string, carried = row.headers): OutgoingMessage {
  const headers: Headers = {}
  for (const [name, value] of Object.entries(carried)) headers[name] = String(value)
  return {
    exchange,
    routingKey: row.type,
    messageId: row.event_id,
    type: row.type,
    timestamp: row.created_at,
    contentType: 'application/json',
    headers: {
      ...headers,
      'ce-specversion': '1.0',
      'ce-id': row.event_id,
      'ce-source': `/${row.context}`,
      'ce-type': row.type,
      'ce-subject': row.stream,
      'ce-time': row.created_at.toISOString(),
      'ce-datacontenttype': 'application/json',
      'ce-dataversion': String(row.version),
      'ce-sequence': `${row.term}.${row.id}`,
    },
    body: Buffer.from(row.payload),
  }
}

/** A message that is no event of ours: without its attributes, or with a body that is not JSON. */
export class UnreadableEvent extends Error {
  override readonly name = 'UnreadableEvent'
}

/** @throws UnreadableEvent */
export function toEvent(message: IncomingMessage): Event {
  const attribute = (name: string): string => {
    const value = message.headers[`ce-${name}`]
    if (typeof value !== 'string' || value === '') throw new UnreadableEvent(`the header ce-${name} is missing`)
    return value
  }
  const type = attribute('type')
  // The broker knows who may tell an event by its routing key: a header that said otherwise would go round that. One
  // that was put back into its queue by hand comes from the default exchange, and its key is the queue.
  if (message.exchange !== '' && message.routingKey !== type)
    throw new UnreadableEvent(`it was told as ${message.routingKey}, and its header ce-type says ${type}`)
  const time = new Date(attribute('time'))
  if (Number.isNaN(time.getTime())) throw new UnreadableEvent(`the header ce-time is no time: ${attribute('time')}`)
  return {
    id: attribute('id'),
    context: attribute('source').replace(/^\//, ''),
    stream: attribute('subject'),
    type,
    version: Number(attribute('dataversion')),
    sequence: attribute('sequence'),
    time,
    payload: parse(message.body),
    headers: plainHeaders(message.headers),
  }
}

/**
 * Which of two `ce-sequence` values of a stream comes first: negative, 0 or positive. `term.id` is two whole numbers,
 * not one with a fraction: 2.5 comes before 2.10, and both before 3.1.
 */
export function compareSequence(a: string, b: string): number {
  const [termA, idA] = numbers(a)
  const [termB, idB] = numbers(b)
  if (termA !== termB) return termA < termB ? -1 : 1
  return idA === idB ? 0 : idA < idB ? -1 : 1
}

function numbers(sequence: string): [bigint, bigint] {
  const match = /^(\d+)\.(\d+)$/.exec(sequence)
  if (!match) throw new UnreadableEvent(`"${sequence}" is no sequence; it has to look like 3.1042`)
  return [BigInt(match[1]!), BigInt(match[2]!)]
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch (error) {
    throw new UnreadableEvent(`the body is not JSON: ${String(error)}`, { cause: error })
  }
}

function plainHeaders(headers: Record<string, unknown>): Record<string, string> {
  const plain: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === 'string' && !name.startsWith('ce-')) plain[name] = value
  }
  return plain
}
