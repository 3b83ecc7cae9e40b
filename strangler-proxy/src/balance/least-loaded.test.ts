import { describe, expect, it } from 'vitest'
import { type Fitness, fitOnes, leastLoadedOfTwo } from './least-loaded.ts'

const NOW = 1_000_000
const one = (change: Partial<Fitness> = {}): Fitness => ({
  load: 0,
  since: Number.NEGATIVE_INFINITY,
  healthy: true,
  downUntil: Number.NEGATIVE_INFINITY,
  ...change,
})
/** A source of chance that repeats. */
function chance(seed = 7) {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}
const shares = (all: readonly Fitness[], random = chance()) => {
  const counts = all.map(() => 0)
  for (let time = 0; time < 10_000; time += 1) {
    const picked = leastLoadedOfTwo(all, { now: NOW, slowStartMs: 10_000, random })
    counts[all.indexOf(picked!)]! += 1 / 10_000
  }
  return counts
}

describe('the less loaded of two', () => {
  it('is the only one, or nobody', () => {
    const only = one()
    expect(leastLoadedOfTwo([only], { now: NOW, slowStartMs: 1, random: chance() })).toBe(only)
    expect(leastLoadedOfTwo([], { now: NOW, slowStartMs: 1, random: chance() })).toBeNull()
  })

  it('spreads evenly over equals, and never takes the most loaded', () => {
    for (const share of shares([one(), one(), one(), one()])) expect(share).toBeCloseTo(0.25, 1)
    const [busiest, busy, idle] = shares([one({ load: 9 }), one({ load: 5 }), one({ load: 1 })])
    expect([busiest, busy, idle]).toEqual([0, expect.closeTo(1 / 3, 1), expect.closeTo(2 / 3, 1)])
    // Each is held against each other one, not against its neighbours alone.
    expect(shares([one({ load: 9 }), one({ load: 1 }), one({ load: 8 }), one()])[2]).toBeCloseTo(1 / 6, 1)
  })

  it('passes over one that has just joined, less and less', () => {
    const young = (ageMs: number) => shares([one({ since: NOW - ageMs }), one()])[0]!
    expect(young(0)).toBe(0)
    expect(young(1_000)).toBeCloseTo(0.05, 1)
    expect(young(5_000)).toBeCloseTo(0.25, 1)
    expect(young(10_000)).toBeCloseTo(0.5, 1)
    // Though it has nothing to do yet, and the others have.
    expect(shares([one({ since: NOW }), one({ load: 1 })])[0]).toBe(0)
    // Whichever of the two it is: half of its time is half of what it would have.
    expect(shares([one({ since: NOW - 5_000 }), one({ load: 1 })])[0]).toBeCloseTo(0.5, 1)
  })
})

describe('who may get requests', () => {
  const down = one({ downUntil: NOW + 1 })
  const sick = one({ healthy: false })
  const well = one()
  it.each([
    ['those that failed are out, up to their share', [down, well], 0.5, [well]],
    ['beyond it nobody is put out by failures', [down, down, well], 0.5, [down, down, well]],
    ['the share is one of the healthy', [sick, sick, down, well], 0.3, [down, well]],
    [
      'whoever failed is back when the time is over',
      [one({ downUntil: NOW }), well],
      0.5,
      [one({ downUntil: NOW }), well],
    ],
    ['the unhealthy are out, however many', [sick, sick, well], 0.1, [well]],
    ['all are tried where nobody is healthy', [sick, sick], 0.5, [sick, sick]],
    ['a single one is never put out by failures', [down], 0.5, [down]],
  ])('%s', (_what, all, share, expected) => {
    expect(fitOnes(all, NOW, share)).toEqual(expected)
  })
})
