import { expect, test } from 'vitest'
import type { IncomingMessage } from '../broker/index.ts'
import { compareSequence, type OutboxRow, toEvent, toMessage, UnreadableEvent } from './envelope.ts'

const row: OutboxRow = {
  id: '1042',
  event_id: '0b62263a-8cb1-4d76-9979-6e9fa1850c93',
  context: 'inventory',
  term: '3',
  stream: 'product-7',
  type: 'ProductChanged',
  version: 2,
  headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'ce-id': 'forged' },
  payload: '{"stock": 12345678901234567890}',
  created_at: new Date('2026-01-02T03:04:05.678Z'),
}

const incoming = (changes: Partial<IncomingMessage> = {}): IncomingMessage => {
  const { exchange, routingKey, messageId, headers = {}, contentType, body } = toMessage(row, 'banyan.events')
  return {
    exchange,
    routingKey,
    messageId,
    headers,
    contentType,
    body,
    redelivered: false,
    live: () => true,
    ...changes,
  }
}

test('a row becomes a CloudEvents message: attributes as headers, the payload as its very text', () => {
  const message = toMessage(row, 'banyan.events')
  expect(message).toMatchObject({ routingKey: 'ProductChanged', messageId: row.event_id })
  expect(message.headers).toEqual({
    'ce-specversion': '1.0',
    'ce-id': row.event_id,
    'ce-source': '/inventory',
    'ce-type': 'ProductChanged',
    'ce-subject': 'product-7',
    'ce-time': '2026-01-02T03:04:05.678Z',
    'ce-datacontenttype': 'application/json',
    'ce-dataversion': '2',
    'ce-sequence': '3.1042',
    traceparent: row.headers.traceparent,
  })
  expect(message.body.toString()).toBe(row.payload)
})

test('an event comes out as it went in', () => {
  expect(toEvent(incoming())).toMatchObject({
    id: row.event_id,
    context: 'inventory',
    stream: 'product-7',
    type: 'ProductChanged',
    version: 2,
    sequence: '3.1042',
    time: row.created_at,
    headers: { traceparent: row.headers.traceparent },
  })
})

test.each([
  ['without an id', { headers: {} }],
  ['with a body that is not JSON', { body: Buffer.from('{') }],
  ['told under the name of another', { routingKey: 'StockReserved' }],
  ['with a time that is none', { headers: { ...incoming().headers, 'ce-time': 'soon' } }],
])('a message %s is no event', (_, changes) => {
  expect(() => toEvent(incoming(changes))).toThrow(UnreadableEvent)
})

test('an event that was put back into its queue is one, whatever its routing key', () => {
  expect(toEvent(incoming({ exchange: '', routingKey: 'banyan.orders' })).type).toBe('ProductChanged')
})

test('a sequence is two whole numbers, the term first', () => {
  const sorted = ['3.1', '2.10', '10.1', '2.5', '2.9007199254740993', '2.9007199254740992'].sort(compareSequence)
  expect(sorted).toEqual(['2.5', '2.10', '2.9007199254740992', '2.9007199254740993', '3.1', '10.1'])
  expect(compareSequence('2.5', '2.5')).toBe(0)
  expect(() => compareSequence('2', '2.1')).toThrow(UnreadableEvent)
})
