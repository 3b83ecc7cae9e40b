import { afterEach, expect, it } from 'vitest'
import type { Mistake } from './deeds.ts'
import { anyMarker, explore } from './explore.ts'
import type { Limits } from './world.ts'

const none: Limits = { writes: 0, switches: 0, crashes: 0, aborts: 0, duplicates: 0, nacks: 0, failovers: 0 }

afterEach(() => {
  anyMarker.on = false
})

it.each<Partial<Limits>>([
  { writes: 1, switches: 1 },
  { switches: 1, crashes: 1 },
  { writes: 1, switches: 1, crashes: 1 },
  { writes: 1, switches: 1, aborts: 1 },
  { writes: 1, switches: 1, duplicates: 1 },
  { switches: 1, crashes: 1, aborts: 1 },
  { switches: 1, aborts: 1, failovers: 1 },
])('the protocol holds in every state of the whole configuration %j', (limits) => {
  expect(explore({ ...none, ...limits }, new Set(), 20_000)).toMatchObject({ violation: null, whole: true })
})

it.each<[string, Partial<Limits>]>([
  ['two switches with writes on both sides', { writes: 2, switches: 2 }],
  ['a crash and a zombie', { writes: 1, switches: 1, crashes: 2 }],
  ['an abort and another try', { writes: 1, switches: 2, aborts: 1 }],
  ['an abort while a zombie lives', { writes: 1, switches: 1, aborts: 1, crashes: 1 }],
  ['duplicates and refusals of the broker', { writes: 2, switches: 1, duplicates: 1, nacks: 1 }],
  ['a control database that loses the owner commit', { writes: 1, switches: 1, failovers: 1, aborts: 1 }],
])('the protocol holds through %s', (_, limits) => {
  const explored = explore({ ...none, ...limits }, new Set(), 3_000)
  expect(explored.violation).toBeNull()
  expect(explored.states).toBeGreaterThan(100)
})

it.each<[Mistake[], Partial<Limits>]>([
  [['commit without compare'], { switches: 1, crashes: 1, aborts: 1 }],
  [['fence without token'], { switches: 1, crashes: 1, aborts: 1 }],
  [['fence without lock'], { writes: 1, switches: 1 }],
  [['unfence before commit', 'abort does not look at the target'], { switches: 1, aborts: 1, crashes: 1 }],
  [['marker of any attempt', 'no reconciliation'], { writes: 1, switches: 2, aborts: 1 }],
  [['marker before fence'], { writes: 1, switches: 1 }],
  [['marker overtakes', 'no reconciliation'], { writes: 1, switches: 1 }],
  [['mark before confirm', 'no reconciliation'], { writes: 1, switches: 1, nacks: 1 }],
  [['apply without version'], { writes: 2, switches: 1, duplicates: 1 }],
  [['no tombstone'], { writes: 2, switches: 1, duplicates: 1 }],
  [['abort undoes first'], { switches: 1, aborts: 1, crashes: 1 }],
  [['abort skips an open source'], { switches: 1, aborts: 1, crashes: 1 }],
  [['abort locks an open source'], { writes: 1, switches: 1, aborts: 1 }],
  [['abort does not look at the target'], { switches: 1, failovers: 1, aborts: 1 }],
])('without its rule the explorer finds a trace: %j', (mistakes, limits) => {
  anyMarker.on = mistakes.includes('marker of any attempt')
  const { violation } = explore({ ...none, ...limits }, new Set(mistakes), 6_000)
  expect(violation, mistakes.join()).not.toBeNull()
  expect(violation?.trace.length).toBeGreaterThan(2)
})
