import { expect, test } from 'vitest'
import { createMeasure, type Seen } from '../shoppers/measure.ts'
import { untilTrafficFlows } from './flowing.ts'

const seen = (status: number | undefined): Seen => ({
  action: 'browse',
  startedAt: 0,
  ms: 1,
  status,
  mayBeHeld: false,
  slowOfItself: false,
})

test('traffic flows with the first answer that is no failure, by the time since the command was given', async () => {
  const measure = createMeasure()
  let flows: number | undefined
  const flowing = untilTrafficFlows(measure, Date.now() - 5_000, 30_000).then((ms) => {
    flows = ms
  })
  for (const status of [503, undefined, 401, 404]) measure.add(seen(status))
  await new Promise(setImmediate)
  expect(flows).toBeUndefined()
  measure.add(seen(200))
  await flowing
  expect(flows).toBeGreaterThanOrEqual(5_000)
  expect(flows).toBeLessThan(30_000)
})

test('a shop that answers nobody keeps nobody waiting', async () => {
  expect(await untilTrafficFlows(createMeasure(), Date.now(), 10)).toBeUndefined()
})
