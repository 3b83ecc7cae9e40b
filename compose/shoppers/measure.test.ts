import { expect, test } from 'vitest'
import { createMeasure } from './measure.ts'

const seen = (ms: number, status: number | undefined = 200, mayBeHeld = false) => ({
  action: 'browse',
  startedAt: 0,
  ms,
  status,
  mayBeHeld,
})

test('quantiles count every request', () => {
  const measure = createMeasure()
  for (let ms = 1; ms <= 100; ms += 1) measure.add(seen(ms))
  expect(measure.traffic()).toEqual({ requests: 100, failed: 0, p50Ms: 50, p99Ms: 99 })
})

test('a 5xx, a lost session and a broken connection are failures, a refusal is none', () => {
  const measure = createMeasure()
  for (const status of [200, 401, 403, 404, 409, 421, 500, 503]) measure.add(seen(1, status))
  measure.add({ ...seen(1), status: undefined })
  expect(measure.traffic().failed).toBe(4)
})

test('a window knows the slowest request that may have been held, and only what ended in it', () => {
  const measure = createMeasure()
  measure.add(seen(9_000, 200, true))
  const close = measure.open()
  measure.add(seen(5_000))
  measure.add(seen(700, 201, true))
  measure.add(seen(300, 503, true))
  expect(close()).toEqual({ requests: 3, failed: 1, slowestHeldMs: 700 })
})
