import { expect, test } from 'vitest'
import { checkRetention } from './retention.ts'
import { backoffMs } from './retry.ts'

const policy = { attempts: 6, baseMs: 100, maxMs: 1_000 }

test('pauses double, stay within 20 % either way, and end at the limit', () => {
  expect([1, 2, 3, 4, 5, 6].map((attempts) => backoffMs(policy, attempts, 0.5))).toEqual([
    100, 200, 400, 800, 1_000, 1_000,
  ])
  expect([backoffMs(policy, 1, 0), backoffMs(policy, 1, 0.999999)].map(Math.round)).toEqual([80, 120])
})

test('an inbox that would forget what can still come again is refused, with the figure it needs', () => {
  expect(() => checkRetention({ outboxMs: 100, replayHorizonMs: 50, inboxMs: 149 })).toThrow(/149 ms .* 150 ms/)
  expect(checkRetention({ outboxMs: 100, replayHorizonMs: 50, inboxMs: 150 }).inboxMs).toBe(150)
  expect(checkRetention({ outboxMs: 100, replayHorizonMs: 50 }).inboxMs).toBe(150)
  expect(() => checkRetention({ inboxMs: Number.NaN })).toThrow(RangeError)
})
