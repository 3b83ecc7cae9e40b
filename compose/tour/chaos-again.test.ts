import { expect, test } from 'vitest'
import { outOfOrder } from '../../migrations/src/mover/orders.ts'
import { wasDone } from './chaos-again.ts'

const refused = (verb: 'prepare' | 'backfill' | 'switch' | 'rollback' | 'complete', phase: 'prepared' | 'ready') =>
  wasDone(`refused, waits for: ${outOfOrder(verb, { phase, paused: false, step: null, context: 'users' })}\n`)

test('a refusal that names the state which the command leads to says that it was done', () => {
  expect(refused('prepare', 'prepared')).toBe(true)
  expect(refused('rollback', 'ready')).toBe(true)
})

test('a refusal in any other state, or for any other reason, does not', () => {
  expect(refused('backfill', 'ready')).toBe(false)
  expect(refused('switch', 'prepared')).toBe(false)
  expect(refused('complete', 'ready')).toBe(false)
  expect(wasDone('refused, waits for: the lag to be at most 1000 ms; it is 3000 ms')).toBe(false)
})
