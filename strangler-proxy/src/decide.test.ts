import { createFlags, type Feature, type Flags } from '@banyan/kit/flags'
import type { Ownership, Phase } from '@banyan/kit/ownership'
import { createLogger } from '@banyan/kit/service'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { read, write } from '../test-support/goods-routes.ts'
import { ownershipOf } from '../test-support/start-proxy.ts'
import { decide, type Facts, isSplit, NO_FACTS, type ReadsFlag } from './decide.ts'

const on: ReadsFlag = () => true
const off: ReadsFlag = () => false
const facts = (change: Partial<Facts> = {}): Facts => ({ ...NO_FACTS, sessionId: 's1', ...change })
const goods = (change: Partial<Ownership>) => ownershipOf('goods', change)
const time = (ms: number) => new Date(ms)

describe('which side answers', () => {
  it.each([
    ['no rule', null, goods({ owner: 'service', phase: 'switched' }), on, facts(), 'monolith', 'no-route'],
    ['no record', read, undefined, on, facts(), 'monolith', 'unknown-context'],
    ['a write', write, goods({ owner: 'monolith', phase: 'ready' }), on, facts(), 'monolith', 'write'],
    [
      'a write after the switch',
      write,
      goods({ owner: 'service', phase: 'switched' }),
      off,
      facts(),
      'service',
      'write',
    ],
    [
      'a write with an override',
      write,
      goods({ phase: 'ready' }),
      on,
      facts({ override: 'service' }),
      'monolith',
      'write',
    ],
    ['a read with an override', read, goods({}), off, facts({ override: 'service' }), 'service', 'override'],
    ['an override back', read, goods({ phase: 'ready' }), on, facts({ override: 'monolith' }), 'monolith', 'override'],
    ['the kill switch', read, goods({ phase: 'ready', reads: 'owner' }), on, facts(), 'monolith', 'kill-switch'],
    ['the share', read, goods({ phase: 'ready' }), on, facts(), 'service', 'share'],
    ['outside the share', read, goods({ phase: 'ready' }), off, facts(), 'monolith', 'owner'],
    [
      'after the switch, share 0',
      read,
      goods({ owner: 'service', phase: 'switched' }),
      off,
      facts(),
      'service',
      'owner',
    ],
    [
      'after the switch, share on',
      read,
      goods({ owner: 'service', phase: 'switched' }),
      on,
      facts(),
      'service',
      'share',
    ],
    ['completed', read, goods({ owner: 'service', phase: 'completed' }), on, facts(), 'service', 'no-move'],
  ] as const)('%s', (_what, route, ownership, flag, given, side, reason) => {
    expect(decide(route, ownership, flag, given)).toEqual({ side, reason })
  })

  it.each([
    ['nothing was applied yet', null, 'monolith'],
    ['the heartbeat is older than the write', time(999), 'monolith'],
    ['it is just as old', time(1_000), 'monolith'],
    ['it is younger', time(1_001), 'service'],
  ] as const)('after a write, reads stay with the owner while %s', (_what, heartbeatApplied, side) => {
    const ownership = goods({ phase: 'ready', heartbeatApplied })
    expect(decide(read, ownership, on, facts({ writtenUntil: 1_000 })).side).toBe(side)
  })

  it('never sends a write to the side that does not own, nor a read to one without all data', () => {
    const phases: Phase[] = [
      'idle',
      'prepared',
      'copying',
      'following',
      'ready',
      'switching',
      'switched',
      'completed',
      'aborting',
    ]
    const record = fc.record({
      phase: fc.constantFrom(...phases),
      owner: fc.constantFrom('monolith' as const, 'service' as const),
      hold: fc.boolean(),
      reads: fc.constantFrom('flag' as const, 'owner' as const),
      heartbeatApplied: fc.option(fc.date({ noInvalidDate: true })),
    })
    const said = fc.record({
      override: fc.constantFrom(null, 'monolith' as const, 'service' as const),
      writtenUntil: fc.option(fc.integer({ min: 0, max: 2_000_000_000_000 })),
      userId: fc.constant('7'),
      sessionId: fc.constant(undefined),
    })
    fc.assert(
      fc.property(record, said, fc.boolean(), (change, given, flag) => {
        const ownership = goods(change)
        const answer = () => flag
        expect(decide(write, ownership, answer, given).side).toBe(ownership.owner)
        const both = ['ready', 'switching', 'aborting', 'switched'].includes(ownership.phase)
        if (given.override === null && !both) expect(decide(read, ownership, answer, given).side).toBe(ownership.owner)
        if (!isSplit(read, ownership) && given.override === null)
          expect(decide(read, ownership, answer, given)).toEqual(decide(read, ownership, answer, NO_FACTS))
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('shares, by the flag SDK itself', () => {
  const flags: Flags[] = []
  const withShare = async (share: number, groupId?: string): Promise<Flags> => {
    const made = createFlags({
      url: 'http://127.0.0.1:9/api',
      token: 'x',
      appName: 'test',
      environment: 'development',
      metrics: false,
      refreshMs: 60_000,
      bootstrap: [rollout('goods-reads', share, groupId), rollout('other-reads', share)],
      logger: createLogger({ name: 'test', level: 'silent' }),
    })
    flags.push(made)
    await made.ready
    return made
  }
  const ready = goods({ phase: 'ready' })
  const sideAt = (flag: Flags, who: Partial<Facts>) =>
    decide(read, ready, (context, one) => flag.isOn(`${context}-reads`, one), { ...NO_FACTS, ...who }).side
  let ten: Flags
  beforeAll(async () => {
    ten = await withShare(10)
  })
  afterAll(async () => {
    await Promise.all(flags.map((one) => one.close()))
  })

  it('a share of 10 % takes 10 % ± 0.5 of 100,000 clients, each as the SDK says', () => {
    let aside = 0
    for (let id = 0; id < 100_000; id += 1) {
      const who = id % 2 ? { userId: String(id) } : { sessionId: `session-${id}` }
      const side = sideAt(ten, who)
      if (side === 'service') aside += 1
      if ((side === 'service') !== ten.isOn('goods-reads', who)) throw new Error(`${id} differs from the SDK`)
    }
    expect(aside / 1_000).toBeGreaterThan(9.5)
    expect(aside / 1_000).toBeLessThan(10.5)
  })

  it.each([
    ['123', 'gr1', 73],
    ['999', 'groupX', 25],
  ])('user %s of the group %s is in from %i % on, as Unleash counts', async (userId, groupId, from) => {
    const sides = await Promise.all(
      [from - 1, from].map(async (share) => sideAt(await withShare(share, groupId), { userId })),
    )
    expect(sides).toEqual(['monolith', 'service'])
  })

  it('raising a share removes nobody, and 0 and 100 mean nobody and everybody', async () => {
    const steps = await Promise.all([0, 5, 10, 25, 60, 100].map((share) => withShare(share)))
    fc.assert(
      fc.property(fc.uuid(), (userId) => {
        const sides = steps.map((flag) => sideAt(flag, { userId }))
        expect(sides[0]).toBe('monolith')
        expect(sides.at(-1)).toBe('service')
        const first = sides.indexOf('service')
        expect(sides.slice(first).every((side) => side === 'service')).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  it('a user decides alike with and without a session; the same client is never flipped', () => {
    for (let id = 0; id < 1_000; id += 1) {
      const side = sideAt(ten, { userId: String(id) })
      expect(sideAt(ten, { userId: String(id), sessionId: 'any' })).toBe(side)
    }
  })
})

function rollout(name: string, share: number, groupId = name): Feature {
  return {
    name,
    enabled: true,
    type: 'release',
    project: 'default',
    stale: false,
    impressionData: false,
    variants: [],
    strategies: [
      {
        name: 'flexibleRollout',
        parameters: { rollout: String(share), stickiness: 'default', groupId },
        constraints: [],
      },
    ],
  } as unknown as Feature
}
