import type { Phase } from '@banyan/kit/ownership'
import type { Side } from '@banyan/kit/service'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { read, write } from '../test-support/goods-routes.ts'
import { ownershipOf } from '../test-support/start-proxy.ts'
import { choose } from './choose.ts'
import { BOTH_SIDES_READ, type Facts, NO_FACTS } from './decide.ts'
import { IN_STEP_MS } from './fallback.ts'
import type { Upstream, Upstreams } from './upstreams.ts'

const NOW = 1_000_000
const PHASES: Phase[] = [
  ...(['idle', 'prepared', 'copying', 'following', 'ready', 'switching', 'aborting'] as const),
  ...(['switched', 'completed'] as const),
]
type State = 'up' | 'down' | 'absent'
const upstreamsOf = (states: Record<Side, State>) =>
  ({
    pick: (side: Side) => (states[side] === 'absent' ? null : ({ url: side } as Upstream)),
    isUp: (side: Side) => states[side] === 'up',
  }) as unknown as Upstreams

const side = fc.constantFrom<Side>('monolith', 'service')
const state = fc.constantFrom<State>('up', 'down', 'absent')
const around = fc.option(fc.integer({ min: NOW - 2 * IN_STEP_MS, max: NOW }))
const world = fc.record({
  ...{ phase: fc.constantFrom(...PHASES), owner: side, reads: fc.constantFrom('flag' as const, 'owner' as const) },
  ...{ heartbeat: around, writtenUntil: around, flag: fc.boolean(), asked: fc.option(side) },
  ...{ monolith: state, service: state },
})

it('a side that does not own the writes answers no read, unless it was asked for, or is in step and shared or standing in', () => {
  fc.assert(
    fc.property(world, ({ phase, owner, reads, heartbeat, writtenUntil, flag, asked, monolith, service }) => {
      const heartbeatApplied = heartbeat === null ? null : new Date(heartbeat)
      const known = ownershipOf('goods', { phase, owner, reads, heartbeatApplied })
      const ownership = { get: () => known, now: () => new Date(NOW) }
      const facts: Facts = { ...NO_FACTS, writtenUntil, override: asked }
      const states = { monolith, service }
      const chosen = (route: typeof read) => choose(route, ownership, () => flag, facts, upstreamsOf(states))
      expect(chosen(write).decision.side).toBe(owner)
      const { decision, spare } = chosen(read)
      const other = owner === 'monolith' ? 'service' : 'monolith'
      const hasAll = BOTH_SIDES_READ.has(phase) && reads === 'flag'
      const sees = writtenUntil === null || (heartbeat !== null && heartbeat > writtenUntil)
      const inStep = hasAll && sees && heartbeat !== null && NOW - heartbeat <= IN_STEP_MS
      if (decision.side === other && asked !== other) {
        // The flag only ever adds the service: once that owns the writes, no flag brings its reads back to the monolith.
        const shared = other === 'service' && flag && hasAll && sees
        const standsIn = inStep && states[owner] !== 'up' && states[other] !== 'absent'
        expect(shared || standsIn).toBe(true)
      }
      if (spare === other) expect(inStep).toBe(true)
    }),
    { numRuns: 5_000 },
  )
})

it.each([
  ['its owner', 'up', 'up', null, 'monolith owner'],
  ['the other side, while its owner is down', 'down', 'up', null, 'service fallback'],
  ['its owner, though down, while the other side is no better', 'down', 'down', null, 'monolith owner'],
  ['the other side, however it is, where its owner has no instance', 'absent', 'down', null, 'service no-instance'],
  ['the side that was asked for, though it is down and its owner is not', 'up', 'down', 'service', 'service override'],
  ['the side that was asked for, though it is down', 'down', 'up', 'monolith', 'monolith override'],
  [
    'the other side where the one that was asked for has no instance',
    'up',
    'absent',
    'service',
    'monolith no-instance',
  ],
] as const)('a read goes to %s', (_what, monolith, service, asked, expected) => {
  const known = ownershipOf('goods', { phase: 'ready', heartbeatApplied: new Date(NOW) })
  const ownership = { get: () => known, now: () => new Date(NOW) }
  const upstreams = upstreamsOf({ monolith, service })
  const { decision } = choose(read, ownership, () => false, { ...NO_FACTS, override: asked }, upstreams)
  expect(`${decision.side} ${decision.reason}`).toBe(expected)
})
