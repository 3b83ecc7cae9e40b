import { expect, test } from 'vitest'
import { createInFlight } from './in-flight.ts'

test('whoever waits for the end of requests waits for all that concern the context, and for no other', async () => {
  const inFlight = createInFlight()
  const ends = [inFlight.enter(['goods', 'orders']), inFlight.enter(['goods']), inFlight.enter(['users'])]
  let drained = false
  const waiting = inFlight.drained('goods').then(() => {
    drained = true
  })
  ends[1]!()
  ends[1]!()
  await inFlight.drained('nobody')
  expect(drained).toBe(false)
  ends[0]!()
  await waiting
  expect([inFlight.count('goods'), inFlight.count('users'), inFlight.total()]).toEqual([0, 1, 1])
})

test('a stream that never ends is not waited for for ever, where somebody says how long', async () => {
  const inFlight = createInFlight()
  inFlight.enter(['goods'])
  await inFlight.drained('goods', 20)
  expect(inFlight.count('goods')).toBe(1)
})
