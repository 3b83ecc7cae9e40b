import { expect, test } from 'vitest'
import { createMeasure, type Seen } from './measure.ts'

const seen = (ms: number, status: number | undefined = 200, mayBeHeld = false): Seen => ({
  action: 'browse',
  startedAt: Date.now() - ms,
  ms,
  status,
  mayBeHeld,
  slowOfItself: false,
})

test('quantiles count every request', () => {
  const measure = createMeasure()
  for (let ms = 1; ms <= 100; ms += 1) measure.add(seen(ms))
  expect(measure.traffic()).toEqual({ requests: 100, failed: 0, p50Ms: 50, p99Ms: 99 })
})

test('a 5xx, a broken connection and whatever is lost are failures, a refusal that a shop may give is none', () => {
  const failed = (status: number | undefined, code?: string) => {
    const measure = createMeasure()
    measure.add({ ...seen(1), status, ...(code === undefined ? {} : { code }) })
    return measure.traffic().failed === 1
  }
  const refusals = [
    [402, 'payment-declined'],
    [404, 'shipment-not-found'],
    [409, 'out-of-stock'],
    [409, 'email-taken'],
    [422, 'cart-full'],
  ] as const
  expect(refusals.filter(([status, code]) => failed(status, code))).toEqual([])
  expect([200, 201, 202, 204, 304].filter((status) => failed(status))).toEqual([])
  const failures = [
    [undefined, undefined],
    [401, 'invalid-token'],
    [404, 'order-not-found'],
    [409, 'order-stuck'],
    [421, 'not-owner'],
    [422, 'unknown-product'],
    [429, undefined],
    [500, 'internal-error'],
    [503, 'out-of-stock'],
  ] as const
  expect(failures.filter(([status, code]) => !failed(status, code))).toEqual([])
})

test('a window knows the slowest request that may have been held, and only what ended in it', async () => {
  const measure = createMeasure()
  measure.add(seen(9_000, 200, true))
  const close = measure.open()
  measure.add(seen(5_000))
  measure.add(seen(700, 201, true))
  measure.add(seen(300, 503, true))
  expect(await close(Date.now() - 1_000)).toEqual({ requests: 3, failed: 1, slowestHeldMs: 700 })
})

test('a window ends with the answers to what was under way, and measures nothing that was asked later', async () => {
  const measure = createMeasure()
  const close = measure.open()
  const held = measure.begin()
  const closing = close(undefined)
  const later = measure.begin()
  measure.add({ ...seen(9_000, 200, true), startedAt: Date.now() + 1_000 })
  later()
  measure.add(seen(4_000, 200, true))
  held()
  expect(await closing).toMatchObject({ slowestHeldMs: 4_000 })
})

test('of a request that is slow of itself only what falls into the switch counts, and that always', async () => {
  const measure = createMeasure()
  const slow = (startedAt: number, ms: number) => measure.add({ ...seen(ms, 201, true), startedAt, slowOfItself: true })
  const during = async (startedAt: number, ms: number, from: number | undefined) => {
    const close = measure.open()
    slow(startedAt, ms)
    return (await close(from)).slowestHeldMs
  }
  const now = Date.now()
  expect(await during(now - 3_000, 2_900, now - 1_000)).toBe(900)
  expect(await during(now - 500, 400, now - 1_000)).toBe(400)
  expect(await during(now - 3_000, 1_500, now - 1_000)).toBe(0)
  expect(await during(now - 3_000, 2_900, undefined)).toBe(0)
  const late = await during(now - 500, 60_000, now - 1_000)
  expect(late).toBeGreaterThanOrEqual(500)
  expect(late).toBeLessThan(30_000)
})
