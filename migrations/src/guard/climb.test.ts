import { expect, it } from 'vitest'
import { type Climb, climb, lineOf, type Progress } from './climb.ts'
import type { Window } from './decide.ts'
import { between, type Reading, readsIn } from './reads.ts'

const BOUND = 0.1
const side = (answered: number, failed: number) => ({ answered, failed, within: new Map([[BOUND, answered]]) })

/** Which part of a side's reads fails in an interval of a share. */
type Failing = (share: number, interval: number) => number
const well: Failing = () => 0

/**
 * A world in which each interval adds so many reads to each side, by the share, of which the service answers a part; what
 * it was told is kept.
 */
function world(shares: number[], failing = well, monolithFailing = well, reads = 400, part: Failing = () => 1) {
  const set: number[] = []
  const said: Progress[] = []
  const counted = { monolith: side(0, 0), service: side(0, 0) }
  let interval = 0
  const count = (name: 'monolith' | 'service', all: number, failed: number) => {
    const before = counted[name]
    Object.assign(before, side(before.answered + all - failed, before.failed + failed))
  }
  const options: Climb = {
    ...{ shares, intervalMs: 1, samples: 100 },
    read: async () => new Map([['one', structuredClone(counted)]]) as Reading,
    setShare: async (percent) => {
      set.push(percent)
      interval = 0
    },
    stillOurs: async () => null,
    async sleep() {
      const share = set.at(-1)!
      interval += 1
      if (interval > 1_000) throw new Error('it watches one share for ever')
      const ofService = Math.round(((reads * share) / 100) * part(share, interval))
      count('service', ofService, ofService * failing(share, interval))
      count('monolith', reads - ofService, (reads - ofService) * monolithFailing(share, interval))
    },
    say: (progress) => said.push(progress),
  }
  return { options, set, said }
}

it('climbs to the top, watching each share for two intervals at least and until it has enough reads', async () => {
  const { options, set, said } = world([10, 50, 100])
  expect(await climb(options)).toEqual({ kind: 'top', share: 100 })
  expect(set).toEqual([10, 50, 100])
  // 40 reads an interval at 10 %: two intervals are too few, three are enough.
  expect(said.map(({ share, decision }) => `${share} ${decision.kind}`)).toEqual([
    ...['10 pause', '10 pause', '10 promote'],
    ...['50 continue', '50 promote'],
    ...['100 continue', '100 promote'],
  ])
  // Each share is judged by its own reads.
  expect(said.map(({ window }) => window.service.answered)).toEqual([40, 80, 120, 200, 400, 400, 800])
})

it.each([
  ['two fifths, after a while', (_share: number, at: number) => (at > 2 ? 0.4 : 1)],
  ['a tenth, after a while', (_share: number, at: number) => (at > 2 ? 0.1 : 1)],
  ['a tenth, from the beginning', () => 0.1],
  ['a tenth, from the second share on', (share: number) => (share > 25 ? 0.1 : 1)],
])(
  'does not climb over a service that answers a small part of its share, however long that lasts: %s',
  async (_what, part) => {
    const { options, set } = world([25, 50, 100], well, well, 4_000, part)
    // Two intervals of the first share are watched first, so that there is something that can sink.
    const ended = climb({ ...options, samples: part(25, 3) < 1 && part(25, 1) === 1 ? 2_500 : 100 })
    await expect(ended).rejects.toThrow('it watches one share for ever')
    expect(set.at(-1)).toBeLessThan(100)
  },
)

it('climbs where much of a share reads from the owner, as who has just written does', async () => {
  const { options } = world([25, 50, 100], well, well, 4_000, () => 0.3)
  expect(await climb(options)).toEqual({ kind: 'top', share: 100 })
})

it('sees a service that breaks late by what it did since the last look, however well it did before', async () => {
  const { options, said } = world([25, 100], (_share, at) => (at > 300 ? 0.1 : 0))
  const ended = await climb({ ...options, stillOurs: async () => 'Unleash cannot be asked' })
  expect(ended).toMatchObject({ kind: 'back', because: expect.stringMatching(/^10\.0 % .* in the last interval$/) })
  expect(said).toHaveLength(301)
})

it('holds the service against the monolith of the same time, not of the share before', async () => {
  const ill: Failing = (share) => (share === 50 ? 0.2 : 0)
  const { options, said } = world([25, 50, 100], ill, ill)
  const stop = new Error('somebody else has decided')
  const ended = climb({
    ...options,
    stillOurs: async () => {
      if (said.length === 5) throw stop
      return null
    },
  })
  await expect(ended).rejects.toThrow(stop)
  expect(said.map(({ share, decision }) => `${share} ${decision.kind}`)).toEqual([
    ...['25 continue', '25 promote'],
    ...['50 pause', '50 pause', '50 pause'],
  ])
})

it('holds it at 100 % against the monolith of the share before, which was as ill then', async () => {
  const { options } = world(
    [50, 100],
    (share) => (share === 50 ? 0.04 : 0.05),
    () => 0.04,
  )
  expect(await climb(options)).toEqual({ kind: 'top', share: 100 })
})

it('goes back within two intervals after the service breaks, at whatever share', async () => {
  for (const [share, interval] of [
    [25, 1],
    [25, 2],
    [100, 1],
  ] as const) {
    const { options, said } = world([25, 100], (now, at) => (now === share && at >= interval ? 1 : 0))
    const ended = await climb(options)
    expect(ended).toMatchObject({ kind: 'back', share })
    const late = said.filter((one) => one.share === share && one.intervals >= interval)
    expect(late.length).toBeLessThanOrEqual(2)
  }
})

it('stays where it is while the proxies cannot be read, and ends when somebody else has decided', async () => {
  const { options, set, said } = world([50, 100])
  let reads = 0
  const ended = climb({
    ...options,
    read: () => (++reads > 1 ? Promise.reject(new Error('away')) : options.read()),
    stillOurs: async () => {
      if (said.length === 3) throw new Error('the flag was set to 0 %')
      return null
    },
  })
  await expect(ended).rejects.toThrow('the flag was set to 0 %')
  expect(set).toEqual([50])
  expect(said.map(({ decision }) => decision)).toEqual(
    Array.from({ length: 3 }, () => ({ kind: 'pause', because: 'the proxies cannot be read: away' })),
  )
})

it('watches on while Unleash cannot be asked or does not take a share, and still sends reads back then', async () => {
  const { options, set, said } = world([50, 100], (_share, at) => (at > 6 ? 1 : 0))
  const away = new Error('away')
  const ended = await climb({
    ...options,
    setShare: async (percent) => {
      if (set.length > 0) throw away
      await options.setShare(percent)
    },
    stillOurs: async () => (said.length < 3 ? 'Unleash cannot be asked' : null),
  })
  expect(ended).toMatchObject({ kind: 'back', share: 50 })
  expect(set).toEqual([50])
  expect(said.map(({ decision }) => ('because' in decision ? decision.because : decision.kind))).toEqual([
    'continue',
    ...Array.from({ length: 2 }, () => 'Unleash cannot be asked'),
    ...Array.from({ length: 3 }, () => 'the share cannot be set to 100 %: away'),
    expect.stringContaining('in the last interval'),
  ])
})

it('says of each side what it answered, what failed, and how long it took, where that is known', () => {
  const slow = { answered: 20, failed: 1, within: new Map([[0.0123, 20]]) }
  const slower = { answered: 20, failed: 0, within: new Map([[0.0123, 10]]) }
  const line = (monolith: Window['monolith'], decision: Progress['decision']) =>
    lineOf({ share: 25, intervals: 2, decision, window: { service: slow, monolith } })
  expect(line(slower, { kind: 'promote' })).toBe(
    '25 %  service 21 reads, 1 failed, p99 ≤ 12 ms; monolith 20 reads, 0 failed, p99 beyond every bound  → promote',
  )
  expect(line(side(0, 3), { kind: 'pause', because: 'too few' })).toBe(
    '25 %  service 21 reads, 1 failed, p99 ≤ 12 ms; monolith 3 reads, 3 failed  → pause: too few',
  )
})

it('reads a side of a context out of what a proxy exports, and counts a proxy that began anew from nothing', () => {
  const page = (service: number) =>
    [
      'proxy_read_duration_seconds_bucket{le="0.1",context="goods",side="service",result="ok"} 3',
      'proxy_read_duration_seconds_bucket{le="+Inf",context="goods",side="service",result="ok"} 5',
      `proxy_read_duration_seconds_count{context="goods",side="service",result="ok"} ${service}`,
      'proxy_read_duration_seconds_bucket{le="0.1",context="goods",side="service",result="failed"} 2',
      'proxy_read_duration_seconds_count{context="goods",side="service",result="failed"} 2',
      'proxy_read_duration_seconds_count{context="users",side="service",result="ok"} 9',
    ].join('\n')
  const reading = (service: number): Reading => new Map([['one', readsIn(page(service), 'goods')]])
  const expected: Window['service'] = { answered: 5, failed: 2, within: new Map([[0.1, 3]]) }
  expect(reading(5).get('one')).toEqual({ monolith: { answered: 0, failed: 0, within: new Map() }, service: expected })
  expect(between(new Map(), reading(5)).service).toEqual(expected)
  expect(between(reading(5), reading(7)).service).toMatchObject({ answered: 2, failed: 0 })
  expect(between(reading(7), reading(5)).service).toMatchObject({ answered: 5, failed: 2 })
  // One that has answered nothing since has not begun anew.
  expect(between(reading(7), reading(7)).service).toEqual({ answered: 0, failed: 0, within: new Map([[0.1, 0]]) })
})
