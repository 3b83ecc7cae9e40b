import { Histogram, Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { timed } from './instruments.ts'

const BOUNDS = [0.01, 0.1, 1]

it.each([
  ['no label', [], [[]]],
  [
    'two labels',
    ['side', 'status'],
    [
      ['service', '2xx'],
      ['monolith', '5xx'],
    ],
  ],
])('shows times with %s as the library itself does, on the bounds and beyond the last', async (_what, names, sets) => {
  const [own, library] = [new Registry(), new Registry()]
  const time = timed([own], 'seconds', 'How long', names, BOUNDS)
  const histogram = new Histogram({
    ...{ name: 'seconds', help: 'How long', labelNames: names, buckets: BOUNDS, registers: [library] },
  })
  expect(await own.metrics()).toBe(await library.metrics())
  for (const labels of sets) {
    for (const ms of [5, 10, 11, 1_000, 5_000]) {
      time(ms, ...labels)
      histogram.labels(...labels).observe(ms / 1000)
    }
  }
  expect(await own.metrics()).toBe(await library.metrics())
})
