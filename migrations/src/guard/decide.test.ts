import { describe, expect, it } from 'vitest'
import { decide, quantile, type Reads, type Window } from './decide.ts'

/** Bounds in seconds, each half as long again, as the proxies have them. */
const BOUNDS = Array.from({ length: 20 }, (_, step) => Number((0.001 * 1.5 ** step).toPrecision(3)))

/** So many answers, of which each share took so many milliseconds. */
function reads(
  answered: number,
  failed = 0,
  slow: readonly (readonly [share: number, ms: number])[] = [[1, 4]],
): Reads {
  const took = slow.flatMap(([share, ms]) => Array.from({ length: Math.round(share * answered) }, () => ms / 1000))
  return { answered, failed, within: new Map(BOUNDS.map((bound) => [bound, took.filter((s) => s <= bound).length])) }
}
const watch = (step: Window, more: { interval?: Window; intervals?: number; samples?: number; earlier?: Reads } = {}) =>
  decide({ step, interval: step, intervals: 2, samples: 100, ...more })
const NOTHING = { monolith: reads(0), service: reads(0) }

it('a time within which a share was answered is told whatever the order of the bounds', () => {
  const within = new Map([0.4, 0.1, 0.3, 0.2].map((bound) => [bound, bound * 250]))
  const shares = [0, 0.25, 0.26, 0.75, 1, 1.01]
  expect(shares.map((share) => quantile({ answered: 100, failed: 0, within }, share))).toEqual([
    ...[0.1, 0.1, 0.2, 0.3, 0.4, Number.POSITIVE_INFINITY],
  ])
})

describe('the guard', () => {
  it('goes on when the service is no worse and has been watched long enough', () => {
    const good = { monolith: reads(1_000), service: reads(200) }
    expect(watch(good, { intervals: 1 })).toEqual({ kind: 'continue' })
    expect(watch(good)).toEqual({ kind: 'promote' })
    expect(watch({ monolith: reads(1_000, 2), service: reads(200, 1) })).toEqual({ kind: 'promote' })
  })

  it.each([
    ['the service', { monolith: reads(1_000), service: reads(99) }, 'the service has had 99 of 100 reads'],
    ['the monolith', { monolith: reads(99), service: reads(1_000) }, 'the monolith has had 99 of 100 reads'],
    ['nobody', NOTHING, 'the service has had 0 of 100 reads'],
  ])('pauses, and never goes on, with too few reads of %s', (_who, step, because) => {
    for (const intervals of [1, 2, 1_000]) expect(watch(step, { intervals })).toEqual({ kind: 'pause', because })
  })

  it('pauses, and never goes on, when the service was sent nothing in the last interval, however many reads it had before', () => {
    const before = { monolith: reads(9_000), service: reads(3_000) }
    for (const interval of [NOTHING, { monolith: reads(6_000), service: reads(0) }])
      expect(watch(before, { interval, intervals: 1_000 })).toEqual({
        kind: 'pause',
        because: 'the service has had no read in the last interval',
      })
  })

  it('pauses while the service answers less than half of the part of the reads that is its own', () => {
    const before = { monolith: reads(9_000), service: reads(3_000) }
    const lately = (monolith: number, service: number, expected = 0.25) => {
      const interval = { monolith: reads(monolith), service: reads(service) }
      return decide({ step: before, interval, intervals: 2, samples: 100, expected })
    }
    expect(lately(950, 50)).toEqual({
      kind: 'pause',
      because: 'the service has had 5.0 % of the reads in the last interval, where 25.0 % are its part',
    })
    expect(lately(877, 123)).toMatchObject({ kind: 'pause' })
    expect(lately(900, 100, 0.9)).toMatchObject({ kind: 'pause' })
    // Just half, fewer reads of everybody, more of the service, and what chance explains.
    for (const [monolith, service] of [
      [875, 125],
      [30, 10],
      [100, 900],
      [19, 2],
    ] as const)
      expect(lately(monolith, service)).toEqual({ kind: 'promote' })
  })

  it('holds the service against what the monolith had before, where it is told that', () => {
    const earlier = reads(1_000, 1)
    const all = { monolith: reads(3), service: reads(1_000) }
    expect(watch(all)).toMatchObject({ kind: 'pause' })
    expect(watch(all, { earlier })).toEqual({ kind: 'promote' })
    expect(watch({ monolith: reads(3), service: reads(950, 50) }, { earlier })).toMatchObject({ kind: 'back' })
  })

  it('sends reads back for failures that the monolith does not have, in the last interval or in all', () => {
    const broken = { monolith: reads(1_000, 1), service: reads(5, 15) }
    const back = { kind: 'back', because: expect.stringMatching(/^75\.0 % of the service's 20 reads failed/) }
    expect(watch(broken)).toEqual(back)
    // What it did before does not hide what it does now, nor the other way round.
    const before = { monolith: reads(9_000), service: reads(9_000) }
    expect(watch(before, { interval: broken })).toMatchObject({
      kind: 'back',
      because: expect.stringMatching(/in the last interval$/),
    })
    const creeping = { monolith: reads(9_000), service: reads(9_000, 90) }
    expect(watch(creeping, { interval: NOTHING })).toMatchObject({
      kind: 'back',
      because: expect.stringMatching(/since this share was set$/),
    })
  })

  it('does not call back for what chance explains, for less than is tolerated, or for what the monolith does as well', () => {
    expect(watch({ monolith: reads(1_000), service: reads(118, 2) })).toEqual({ kind: 'promote' })
    // Surely more, by four in a thousand.
    expect(watch({ monolith: reads(100_000), service: reads(99_600, 400) })).toEqual({ kind: 'promote' })
    expect(watch({ monolith: reads(99_000, 1_000), service: reads(98_600, 1_400) })).toEqual({ kind: 'promote' })
    expect(watch({ monolith: reads(970, 30), service: reads(194, 6) })).toEqual({ kind: 'promote' })
    // Of fewer than twenty nothing is said, be they all failures.
    expect(watch({ monolith: reads(1_000), service: reads(0, 19) })).toMatchObject({ kind: 'pause' })
    expect(watch({ monolith: reads(3, 16), service: reads(0, 19) })).toMatchObject({ kind: 'pause' })
    expect(watch({ monolith: reads(19), service: reads(0, 20) })).toMatchObject({ kind: 'pause' })
    expect(watch({ monolith: reads(20), service: reads(0, 20) })).toMatchObject({ kind: 'back' })
  })

  it('goes on with just as many reads as it asks for, and of one in twenty that fails on both sides', () => {
    expect(watch({ monolith: reads(100), service: reads(100) })).toEqual({ kind: 'promote' })
    expect(watch({ monolith: reads(95, 5), service: reads(95, 5) })).toEqual({ kind: 'promote' })
    expect(watch({ monolith: reads(94, 6), service: reads(94, 6) })).toMatchObject({ kind: 'pause' })
  })

  it('goes nowhere while both fail', () => {
    const both = { monolith: reads(500, 500), service: reads(100, 100) }
    expect(watch(both)).toEqual({ kind: 'pause', because: 'both sides fail: the service 50.0 % of its reads' })
  })

  it('sends reads back for a 99th percentile that is worse by more than a bound, and not for one within it', () => {
    const monolith = reads(1_000, 0, [
      [0.995, 4],
      [0.005, 40],
    ])
    const slow = reads(400, 0, [
      [0.95, 4],
      [0.05, 40],
    ])
    expect(watch({ monolith, service: slow })).toEqual({
      kind: 'back',
      because:
        "5.0 % of the service's answers took longer than 7.59 ms, and 0.5 % of the monolith's, in the last interval",
    })
    expect(watch({ monolith, service: reads(400, 0, [[1, 7.5]]) })).toEqual({ kind: 'promote' })
    expect(
      watch({
        monolith,
        service: reads(400, 0, [
          [0.99, 4],
          [0.01, 40],
        ]),
      }),
    ).toEqual({ kind: 'promote' })
    // Two of sixty, which chance explains.
    expect(
      watch(
        {
          monolith,
          service: reads(60, 0, [
            [58 / 60, 4],
            [2 / 60, 40],
          ]),
        },
        { samples: 50 },
      ),
    ).toEqual({ kind: 'promote' })
    // Surely more, and no more than one in a hundred.
    const mostly = {
      service: reads(10_000, 0, [
        [0.992, 4],
        [0.008, 40],
      ]),
      monolith: reads(10_000),
    }
    expect(watch(mostly)).toEqual({ kind: 'promote' })
    // Failing fast is not being fast, and answers that were none are not slow.
    expect(watch({ monolith, service: reads(0, 400) })).toMatchObject({
      kind: 'back',
      because: expect.stringMatching(/failed/),
    })
  })
})
