import type { Ownership } from '@banyan/kit/ownership'
import { expect, it } from 'vitest'
import { gate, type OwnershipView } from './gate.ts'
import type { Route } from './routes/route.ts'

const order = { writes: ['orders', 'goods', 'money'] } as unknown as Route
/** All three are known, and at rest but for what is given. */
const view = (more: Record<string, Partial<Ownership>>, leaseValid = true): OwnershipView => ({
  get: (context) => ({ phase: 'ready', hold: false, ...more[context] }) as Ownership,
  leaseValid: () => leaseValid,
})

it('opens to a write of which no context is held', () => {
  expect(gate(order, view({}))).toBe('open')
  expect(gate(order, view({ elsewhere: { hold: true } }))).toBe('open')
})

it.each(order.writes)(
  'holds a write of several contexts when %s is held, whatever is said of the others',
  (context) => {
    expect(gate(order, view({ [context]: { hold: true, phase: 'switching' } }))).toBe('hold')
  },
)

it.each(order.writes)(
  'refuses it without a lease when %s was seen held or switching, and in no other case',
  (context) => {
    expect(gate(order, view({ [context]: { hold: true } }, false))).toBe('refuse')
    expect(gate(order, view({ [context]: { phase: 'switching' } }, false))).toBe('refuse')
    expect(gate(order, view({ [context]: { phase: 'switching' } }))).toBe('open')
    expect(gate(order, view({ [context]: { phase: 'switched' } }, false))).toBe('open')
  },
)
