import { expect, test } from 'vitest'
import { createStreamGate } from './stream-gate.ts'

const row = (id: number, stream = 'a', type = 'T') => ({ id: String(id), stream, type })

test('without a failure any number of rows of a stream may be under way', () => {
  const gate = createStreamGate()
  gate.select(0)
  expect([1, 2, 3].map((id) => gate.admit(row(id)))).toEqual([true, true, true])
})

test('after a failure the stream is left out, and comes back after a pause that doubles up to its limit', () => {
  const gate = createStreamGate({ baseMs: 100, maxMs: 300 })
  const pauses: number[] = []
  let now = 0
  for (let round = 0; round < 4; round++) {
    gate.select(now)
    expect(gate.admit(row(1))).toBe(true)
    gate.failed(row(1), 'nack', now)
    const failedAt = now
    while (gate.select(now).except.includes('a')) now += 50
    pauses.push(now - failedAt)
  }
  expect(pauses).toEqual([100, 200, 300, 300])
})

test('after a failure one row at a time is under way until one is confirmed', () => {
  const gate = createStreamGate({ baseMs: 100 })
  gate.select(0)
  gate.admit(row(1))
  gate.admit(row(2))
  gate.failed(row(1), 'lost', 0)
  gate.confirmed(row(2))
  gate.select(100)
  expect([gate.admit(row(1)), gate.admit(row(3))]).toEqual([true, false])
  expect(gate.select(200).except).toEqual(['a'])
  gate.confirmed(row(1))
  gate.select(200)
  expect([gate.admit(row(3)), gate.admit(row(4))]).toEqual([true, true])
})

test('a stream in trouble waits for what is still under way of it', () => {
  const gate = createStreamGate({ baseMs: 100 })
  gate.select(0)
  gate.admit(row(1))
  gate.admit(row(2))
  gate.failed(row(2), 'nack', 0)
  gate.select(100)
  expect(gate.admit(row(2))).toBe(false)
  gate.confirmed(row(1))
  gate.select(100)
  expect(gate.admit(row(2))).toBe(true)
})

test('rows that fail together are one failure of their stream', () => {
  const gate = createStreamGate({ baseMs: 100 })
  gate.select(0)
  gate.admit(row(1))
  gate.admit(row(2))
  gate.failed(row(1), 'lost', 0)
  gate.failed(row(2), 'lost', 50)
  expect(gate.select(100).except).toEqual([])
})

test('other streams are not touched', () => {
  const gate = createStreamGate()
  gate.select(0)
  gate.admit(row(1))
  gate.failed(row(1), 'nack', 0)
  expect(gate.select(10)).toEqual({ except: ['a'], only: undefined })
  expect(gate.admit(row(2, 'b'))).toBe(true)
})

test('probes are few, until the first shows that a queue was bound for the type', () => {
  const gate = createStreamGate({ baseMs: 100, probes: 2 })
  gate.select(0)
  for (let id = 1; id <= 5; id++) {
    gate.admit(row(id, `s${id}`))
    gate.failed(row(id, `s${id}`), 'returned', 0)
  }
  expect(gate.select(100).except).toEqual(['s3', 's4', 's5'])
  expect(gate.admit(row(1, 's1'))).toBe(true)
  gate.confirmed(row(1, 's1'))
  expect(gate.select(100).except).toEqual([])
})

test('with too many streams in trouble only those whose turn it is are read', () => {
  const gate = createStreamGate({ baseMs: 100, capacity: 2 })
  gate.select(0)
  for (const stream of ['a', 'b']) {
    gate.admit(row(1, stream))
    gate.failed(row(1, stream), 'returned', 0)
  }
  expect(gate.select(50)).toEqual({ except: ['a', 'b'], only: [] })
  expect(gate.select(100).only).toEqual(['a', 'b'])
})
