import { expect, test } from 'vitest'
import type { Seen } from '../shoppers/measure.ts'
import { failedAt } from './chaos-toll.ts'

const seen = (more: Partial<Seen>): Seen => ({
  action: 'order',
  startedAt: 1_000,
  ms: 100,
  status: 502,
  code: 'upstream-unreachable',
  mayBeHeld: false,
  slowOfItself: false,
  ...more,
})
const away = (process: string, context?: string) => ({ process, context, from: 1_050, until: 3_000 })

test('a service answers for what was at it, came for it, or waited for it through another one', () => {
  const failures = [
    seen({}),
    seen({ startedAt: 2_900 }),
    seen({ status: 503, code: 'inventory-unreachable' }),
    seen({ status: 504, code: 'inventory-unclear' }),
    seen({ status: 503, code: 'no-instance' }),
  ]
  expect(failedAt(away('inventory-service', 'inventory'), failures)).toBe(failures.length)
  expect(failedAt(away('monolith'), failures)).toBe(failures.length)
})

test('nobody answers for what failed before it or after it, for a lost session, or for a fault', () => {
  const failures = [
    seen({ startedAt: 900, ms: 100 }),
    seen({ startedAt: 3_001 }),
    seen({ status: 401, code: 'invalid-token' }),
    seen({ status: 500, code: 'internal' }),
    seen({ status: 503, code: 'context-moving' }),
    seen({ status: 504, code: 'payments-unclear' }),
  ]
  expect(failedAt(away('inventory-service', 'inventory'), failures)).toBe(0)
})

test('a service answers for whom a breaker still kept from it, and not for longer than a breaker does', () => {
  const kept = { status: 503, code: 'inventory-unreachable' }
  const of = (startedAt: number, more: Partial<Seen> = {}) =>
    failedAt(away('inventory-service', 'inventory'), [seen({ startedAt, ...kept, ...more })])
  expect(of(3_900)).toBe(1)
  expect(of(3_900, { code: 'no-instance' })).toBe(0)
  expect(of(4_300)).toBe(0)
})

test('the proxy answers for broken connections, and nobody else does', () => {
  const broken = seen({ status: undefined })
  delete broken.code
  expect(failedAt(away('proxy'), [broken, seen({})])).toBe(1)
  expect(failedAt(away('monolith'), [broken])).toBe(0)
})

test('a mover answers for nothing', () => {
  expect(failedAt(away('mover'), [seen({}), seen({ status: undefined })])).toBe(0)
})
