import { expect, test } from 'vitest'
import { createMeter } from './meter.ts'

test('who leads no more has no streams in trouble: they are those of who leads now', () => {
  const meter = createMeter()
  meter.leading(true)
  meter.troubled(2)
  expect(meter.stats()).toMatchObject({ leading: true, troubledStreams: 2 })
  meter.leading(false)
  expect(meter.stats()).toMatchObject({ leading: false, troubledStreams: 0 })
})
