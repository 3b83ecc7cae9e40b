import type { AsyncMessage } from 'rabbitmq-client'
import { expect, it } from 'vitest'
import { compare } from './compare.ts'
import { toComparable } from './event-watch.ts'
import { createRuleBook } from './rules.ts'

const HEADERS = {
  ...{ 'ce-id': '6f1f4a86-5a8e-4d0e-9a2b-0d2f6c9f1e11', 'ce-source': '/goods', 'ce-subject': 'good-7' },
  ...{ 'ce-time': '2026-01-01T00:00:00.000Z', 'ce-sequence': '1.17', traceparent: '00-1-2-01' },
}
const event = (headers: object = {}, more: object = {}) =>
  toComparable({
    ...{ routingKey: 'GoodAdded', durable: true, headers: { ...HEADERS, ...headers } },
    ...{ body: Buffer.from('{"id":7}'), ...more },
  } as unknown as AsyncMessage)
const differences = (one: unknown, other: unknown) =>
  compare([one], [other], 'add', createRuleBook([], '2026-01-01')).map(({ path, kind }) => `${path} ${kind}`)

it('is the same event when id, time and sequence are others', () => {
  const others = { 'ce-id': '00000000-5a8e-4d0e-9a2b-0d2f6c9f1e11', 'ce-time': '2027-01-01T00:00:01.000Z' }
  expect(differences(event(), event({ ...others, 'ce-sequence': '2.1', traceparent: 'another' }))).toEqual([])
})

it('is another one when an attribute is missing or of no form that subscribers read, or it would not outlive the broker', () => {
  expect(differences(event(), event({ 'ce-id': '17' }))).toEqual(['$[0].id value'])
  expect(differences(event(), event({ 'ce-time': '2026-01-01 00:00:00' }))).toEqual(['$[0].time value'])
  expect(differences(event(), event({ 'ce-sequence': '17' }))).toEqual(['$[0].sequence value'])
  expect(differences(event(), event({ 'ce-sequence': undefined }))).toEqual(['$[0].sequence value'])
  expect(differences(event(), event({ 'ce-subject': 'good-8' }))).toEqual(['$[0].subject value'])
  expect(differences(event(), event({}, { durable: false }))).toEqual(['$[0].durable value'])
  expect(differences(event(), event({}, { body: Buffer.from('{"id":8}') }))).toEqual(['$[0].data.id value'])
})
