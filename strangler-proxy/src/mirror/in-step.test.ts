import type { Ownership, Phase } from '@banyan/kit/ownership'
import { expect, it } from 'vitest'
import { ownershipOf } from '../../test-support/start-proxy.ts'
import { lagOf, outOfStep } from './in-step.ts'

const NOW = new Date('2026-01-01T12:00:00Z')
const known = (change: Partial<Ownership>) => ownershipOf('goods', { phase: 'ready', heartbeatApplied: NOW, ...change })
const ago = (ms: number) => new Date(NOW.getTime() - ms)

it.each([
  ['idle', 'not-in-step'],
  ['prepared', 'not-in-step'],
  ['copying', 'not-in-step'],
  ['following', 'not-in-step'],
  ['ready', null],
  ['switching', 'not-in-step'],
  ['aborting', 'not-in-step'],
  ['switched', null],
  ['completed', 'not-in-step'],
] as [Phase, string | null][])('a context that is %s is %s', (phase, expected) => {
  expect(outOfStep(known({ phase }), NOW, 5_000)).toBe(expected)
})

it('a context that is not known is not in step, nor is one behind that has never heard of its owner', () => {
  expect(outOfStep(undefined, NOW, Number.POSITIVE_INFINITY)).toBe('not-in-step')
  expect(outOfStep(known({ heartbeatApplied: null }), NOW, 1e12)).toBe('behind')
})

it('the other side may lag as long as it is told, and not a millisecond longer', () => {
  expect(outOfStep(known({ heartbeatApplied: ago(5_000) }), NOW, 5_000)).toBeNull()
  expect(outOfStep(known({ heartbeatApplied: ago(5_001) }), NOW, 5_000)).toBe('behind')
})

it('a lag is counted from the last heartbeat, and is never less than none, however clocks differ', () => {
  expect([ago(1_234), ago(-300), null].map((heartbeatApplied) => lagOf(known({ heartbeatApplied }), NOW))).toEqual([
    ...[1_234, 0, Number.POSITIVE_INFINITY],
  ])
})
