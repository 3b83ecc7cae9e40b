import { expect, it } from 'vitest'
import { type Facts, interlocks, type ParityFacts } from './interlocks.ts'

const run = { verdict: 'alike' as const, monolithBuild: 'm+1', serviceBuild: 's+1', agoMs: 3_600_000 }
const alike: ParityFacts = {
  context: 'goods',
  without: null,
  processes: { monolith: { name: 'monolith', builds: ['m+1'] }, service: { name: 'goods-service', builds: ['s+1'] } },
  run,
  other: run,
}
const parity = (more: Partial<ParityFacts>) => ({ parity: { ...alike, ...more } })
const builds = (...names: (string | null)[]) => ({
  processes: { ...alike.processes, service: { name: 'goods-service', builds: names } },
})

const good: Facts = {
  direction: 'to-service',
  verification: { clean: true, agoMs: 60_000, voidedBy: null },
  parity: alike,
  lagMs: 300,
  appliedAgoMs: 100,
  blocked: null,
  drift: [],
  capture: [],
  lapsed: [],
  canaryAgoMs: 2_000,
  vacuums: [],
  dependsOn: [],
  dependents: [],
}
const held = (more: Partial<Facts>) => interlocks({ ...good, ...more }).map((one) => one.waitsFor)

it('nothing holds a switch or a rollback when all is well', () => {
  expect(held({})).toEqual([])
  expect(held({ direction: 'to-monolith', verification: null })).toEqual([])
})

it.each([
  ['no verification', { verification: null }, /clean verification/, false],
  ['differences', { verification: { clean: false, agoMs: 1, voidedBy: null } }, /repair/, false],
  [
    'an old verification',
    { verification: { clean: true, agoMs: 15 * 60_000 + 1, voidedBy: null } },
    /15 minutes/,
    false,
  ],
  [
    'a voided one',
    { verification: { clean: true, agoMs: 1, voidedBy: 'rows were repaired' } },
    /since rows were/,
    false,
  ],
  ['no parity run', parity({ run: null, other: null }), /passing parity run of m\+1 and s\+1: banyan parity/, false],
  [
    'one of other builds',
    parity({ run: null, other: { ...run, serviceBuild: 's+0' } }),
    /compared m\+1 and s\+0/,
    false,
  ],
  ['differences of the sides', parity({ run: { ...run, verdict: 'different' } }), /was different/, false],
  ['a run that proved nothing', parity({ run: { ...run, verdict: 'inconclusive' } }), /was inconclusive/, false],
  ['an old run', parity({ run: { ...run, agoMs: 24 * 3_600_000 + 1 } }), /last 24 hours/, false],
  ['a service that runs nowhere', parity(builds()), /goods-service to announce its build/, true],
  ['one that hides its build', parity(builds('s+1', null)), /goods-service to announce its build/, true],
  ['two builds at once', parity(builds('s+1', 's+2')), /one build of goods-service/, true],
  ['lag', { lagMs: 1_001 }, /lag/, true],
  ['no heartbeat', { lagMs: null }, /heartbeat/, true],
  ['a blocked change', { blocked: 'products 7' }, /products 7/, false],
  ['a changed schema', { drift: ['monolith: new: column'] }, /as it was prepared/, false],
  ['a missing trigger', { capture: ['products: no capture'] }, /capture to be whole/, false],
  ['a lapsed lease', { lapsed: ['proxy a'] }, /lease of proxy a/, true],
  ['no canary', { canaryAgoMs: null }, /canary/, true],
  ['an old canary', { canaryAgoMs: 30_001 }, /canary/, true],
  ['a vacuum', { vacuums: ['public.products'] }, /vacuum of public.products/, true],
  [
    'a context that must move first',
    { dependsOn: [{ context: 'users', phase: 'ready' }] },
    /users to move first/,
    false,
  ],
] as const)('%s holds it, and says what it waits for', (_, more, words, passing) => {
  const found = interlocks({ ...good, ...more } as Facts)
  expect(found).toHaveLength(1)
  expect(found[0]?.waitsFor).toMatch(words)
  expect(found[0]?.passing).toBe(passing)
})

it('a reason does instead of a parity run, and a rollback needs none', () => {
  const none = { ...alike, run: null, other: null }
  expect(held({ parity: { ...none, without: 'the bench compares elsewhere' } })).toEqual([])
  expect(held({ parity: none })).toHaveLength(1)
  expect(held({ parity: none, direction: 'to-monolith' })).toEqual([])
})

it('a rollback is refused while a context that moved later depends on it', () => {
  for (const phase of ['switched', 'completed'] as const) {
    const dependents = [{ context: 'orders', phase }]
    expect(held({ direction: 'to-monolith', dependents })).toEqual([expect.stringContaining('orders moved later')])
    expect(held({ dependents })).toEqual([])
  }
  for (const phase of ['switching', 'aborting'] as const)
    expect(held({ direction: 'to-monolith', dependents: [{ context: 'orders', phase }] })).toEqual([
      expect.stringContaining(`it is ${phase}`),
    ])
  for (const phase of ['idle', 'following', 'ready'] as const)
    expect(held({ direction: 'to-monolith', dependents: [{ context: 'orders', phase }] })).toEqual([])
})

it('a switch goes on once what it depends on has moved, for good or not', () => {
  for (const phase of ['switched', 'completed'] as const)
    expect(held({ dependsOn: [{ context: 'users', phase }] })).toEqual([])
  for (const phase of ['switching', 'aborting'] as const)
    expect(held({ dependsOn: [{ context: 'users', phase }] })).toEqual([expect.stringContaining('to move first')])
})

it.each([
  [null, false],
  [1_999, true],
  [2_000, false],
])('a lag is being worked off while its lane applies: last %s ms ago', (appliedAgoMs, catchingUp) => {
  const [lag] = interlocks({ ...good, lagMs: 9_000, appliedAgoMs })
  expect(lag?.passing).toBe(true)
  expect(lag?.catchingUp === true).toBe(catchingUp)
  expect(lag?.waitsFor.endsWith('changes are being applied')).toBe(catchingUp)
})
