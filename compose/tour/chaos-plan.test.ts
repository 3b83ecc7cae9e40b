import { expect, test } from 'vitest'
import { momentOf } from './chaos-plan.ts'

const RUNNING = ['proxy', 'mover', 'monolith', 'user-service']

test('a seed chooses the same moment and victim each time, whatever the order in which the processes are named', () => {
  const [one, two] = [momentOf('7', '4-users', 12), momentOf('7', '4-users', 12)]
  expect([one.block, one.afterMs]).toEqual([two.block, two.afterMs])
  expect(one.victim(RUNNING)).toBe(two.victim(RUNNING.toReversed()))
})

test('over many seeds every block, every process and all of the time come up', () => {
  const moments = Array.from({ length: 200 }, (_, seed) => momentOf(String(seed), '4-users', 5))
  expect(new Set(moments.map(({ block }) => block))).toEqual(new Set([0, 1, 2, 3, 4]))
  expect(new Set(moments.map(({ victim }) => victim(RUNNING)))).toEqual(new Set(RUNNING))
  const times = moments.map(({ afterMs }) => afterMs)
  expect(Math.min(...times)).toBeLessThan(200)
  expect(Math.max(...times)).toBeGreaterThan(3_800)
})
