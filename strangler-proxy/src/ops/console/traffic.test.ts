import { expect, it } from 'vitest'
import { createTraffic } from './traffic.ts'

it('counts each side by the second, and tells of those that are over', () => {
  let now = 1_000_000
  const traffic = createTraffic(() => now)
  for (let ms = 1; ms <= 100; ms += 1) traffic.note('monolith', ms === 7 ? 503 : 200, ms)
  traffic.note('service', 404, 5)
  expect(traffic.history()).toEqual([])
  now += 2_000
  const [first, second, ...rest] = traffic.history()
  expect(rest).toEqual([])
  expect(first?.sides).toMatchObject({ monolith: { rate: 100, errors: 1 }, service: { rate: 1, errors: 0 } })
  // Within a class of a fifth above the true value.
  const { p50 = 0, p99 = 0 } = first!.sides.monolith!
  expect([p50! >= 50 && p50! <= 60, p99! >= 99 && p99! <= 119]).toEqual([true, true])
  expect(second).toEqual({ at: 1_001, sides: {} })
})

it('keeps two minutes, however long it runs', () => {
  let now = 0
  const traffic = createTraffic(() => now)
  for (; now < 1_000_000; now += 500) traffic.note('monolith', 200, 3)
  const history = traffic.history()
  expect(history).toHaveLength(120)
  expect(history.every((second) => second.sides.monolith?.rate === 2)).toBe(true)
  expect([history[0]?.at, history.at(-1)?.at]).toEqual([880, 999])
})

it('takes any time for what it is', () => {
  let now = 0
  const traffic = createTraffic(() => now)
  for (const ms of [0, 0.01, 1e9]) traffic.note('monolith', 200, ms)
  now += 1_000
  expect(traffic.history()[0]?.sides.monolith).toMatchObject({ rate: 3, p50: 0.1 })
})
