import { afterEach, expect, it, vi } from 'vitest'
import type { Observation } from './observation.ts'
import { createOperations } from './operations.ts'
import { createReport } from './report.ts'
import { createRunner } from './run.ts'
import type { Side } from './side.ts'

afterEach(() => void vi.restoreAllMocks())

it('says which share of the time went into comparing, whatever was compared, and not into asking', async () => {
  let now = 1_000
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  let [asks, looks] = [0, 0]
  const side = (name: string): Side => ({
    name,
    async ask() {
      asks++
      now += 40
      // To look at the price takes time, as to compare a large answer does.
      const body = Object.defineProperty({}, 'price', {
        enumerable: true,
        get() {
          looks++
          now += 3
          return name
        },
      })
      return { status: 200, headers: {}, cookies: {}, body } as Observation
    },
    close: async () => undefined,
  })
  const runner = createRunner({
    ...{ left: side('old'), right: side('new'), rules: [], operations: createOperations([]), seed: 1 },
    today: '2026-01-01',
  })
  await runner.run([{ name: 's', kind: 'scenario', steps: [{ method: 'GET', path: '/price' }] }])
  // What was seen too seldom to tell is asked and compared again.
  await runner.settle()
  const result = runner.result()
  // Two answers are compared twice, and all three are looked through for secrets, since they differ.
  expect([asks, looks, result.requests]).toEqual([4 * 3, 4 * (4 + 3), 4 * 3])
  expect([result.comparingMs, result.durationMs]).toEqual([looks * 3, asks * 40 + looks * 3])
  const report = createReport(result, {
    ...{ context: 'prices', sides: { left: 'old', right: 'new' }, builds: { left: null, right: null } },
    ...{ seed: 1, at: 'now', minimum: 1, operations: [] },
  })
  expect(report).toMatchObject({ comparerShare: 0.149, requestsPerSecond: Math.round((12 / 0.564) * 10) / 10 })
})
