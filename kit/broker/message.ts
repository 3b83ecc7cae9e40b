import type { AsyncMessage, Envelope, SyncMessage } from 'rabbitmq-client'
import type { IncomingMessage, OutgoingMessage } from './port.ts'

export function toEnvelope(message: OutgoingMessage): Envelope {
  return {
    exchange: message.exchange,
    routingKey: message.routingKey,
    messageId: message.messageId,
    headers: message.headers,
    contentType: message.contentType ?? 'application/json',
    // With an encoding named, the client hands bodies over as bytes; without it, it parses JSON, and large integers
    // lose digits.
    contentEncoding: 'utf-8',
    type: message.type,
    timestamp: Math.floor((message.timestamp?.getTime() ?? Date.now()) / 1000),
    // `durable` is the client's word for delivery mode 2, and its default is false.
    durable: true,
    mandatory: true,
  }
}

export function fromDelivery(message: AsyncMessage | SyncMessage, live: () => boolean): IncomingMessage {
  return {
    messageId: message.messageId,
    exchange: message.exchange,
    routingKey: message.routingKey,
    redelivered: message.redelivered,
    headers: message.headers ?? {},
    contentType: message.contentType,
    body: toBuffer(message.body),
    live,
  }
}

// Publishers other than ours may leave out the encoding, and the client then parses text and JSON.
function toBuffer(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}
