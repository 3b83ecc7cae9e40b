import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Outcome } from '../forward.ts'
import { createGroup, type Group } from './group.ts'
import { BALANCE } from './settings.ts'

const ONE = 'http://127.0.0.1:1'
const TWO = 'http://127.0.0.1:2'
let ejected: string[]
let group: Group
const make = (change: Partial<typeof BALANCE> = {}) => {
  ejected = []
  return createGroup(
    'service',
    'goods',
    { ...BALANCE, ...change },
    {
      ejected: (_group, { url }, why) => ejected.push(`${url} ${why}`),
      breaker: () => undefined,
    },
  )
}
beforeEach(() => {
  group = make()
  group.set([ONE])
})
const picks = (times: number) =>
  Array.from({ length: times }, () => group.pick([])!.url).filter((url) => url === TWO).length

describe('an instance that joins others', () => {
  it('comes to its part of the requests slowly; those that were there from the beginning have theirs', () => {
    group = make({ slowStartMs: 1_000_000_000 })
    group.set([ONE])
    group.set([ONE, TWO])
    expect(picks(1_000)).toBe(0)
    group = make({ slowStartMs: 1_000_000_000 })
    group.set([ONE, TWO])
    expect(picks(1_000)).toBeGreaterThan(300)
  })
})

it('instances that were there from the beginning get requests by their load at once', () => {
  group = make({ slowStartMs: 1_000_000_000 })
  group.set([ONE, TWO])
  group.enter(group.instances()[0]!, false)
  expect(picks(100)).toBe(100)
})

describe('an instance that a request was tried at', () => {
  it('is not picked for it again', () => {
    expect(group.pick(group.instances())).toBeNull()
    group.set([ONE, TWO])
    const [one] = group.instances()
    for (let time = 0; time < 100; time += 1) expect(group.pick([one!])!.url).toBe(TWO)
  })
})

it('first sendings alone make room for second ones: a fifth of them, and three at least', () => {
  const [one] = group.instances()
  const spent = () => {
    let times = 0
    while (group.budget.spend()) times += 1
    return times
  }
  for (let time = 0; time < 100; time += 1) group.enter(one!, true)!.heard(200)
  expect(spent()).toBe(3)
  for (let time = 0; time < 100; time += 1) group.enter(one!, false)!.heard(200)
  expect(spent()).toBe(20 - 3)
})

describe('what becomes of a request', () => {
  const failing: Outcome[] = [
    { kind: 'failed', cause: 'connection' },
    { kind: 'failed', cause: 'deadline' },
  ]
  const telling: Outcome[] = [
    { kind: 'refused' },
    { kind: 'gone' },
    { kind: 'failed', cause: 'too-large' },
    { kind: 'failed', cause: 'stale' },
  ]
  const end = (outcome: Outcome, times: number) => {
    const [one] = group.instances()
    for (let time = 0; time < times; time += 1) group.enter(one!, false)?.ended(outcome)
    expect(one!.load).toBe(0)
  }

  it.each(failing)('puts its instance out where it is $kind: $cause', (outcome) => {
    end(outcome, BALANCE.ejection.failures - 1)
    expect(ejected).toEqual([])
    end(outcome, 1)
    expect(ejected).toEqual([`${ONE} failures`])
  })

  it.each(telling)('says nothing against it where it is $kind $cause', async (outcome) => {
    end(outcome, 40)
    await new Promise(setImmediate)
    expect([ejected, group.isUp()]).toEqual([[], true])
  })

  it('is told by its head, whatever comes after it', () => {
    const [one] = group.instances()
    for (let time = 0; time < 4; time += 1) group.enter(one!, false)!.heard(503)
    const well = group.enter(one!, false)!
    well.heard(200)
    well.ended({ kind: 'failed', cause: 'connection' })
    for (let time = 0; time < 4; time += 1) group.enter(one!, false)!.heard(503)
    expect(ejected).toEqual([])
  })

  it('is a good answer where it is refused with nothing done', () => {
    end({ kind: 'failed', cause: 'connection' }, 4)
    end({ kind: 'refused' }, 1)
    end({ kind: 'failed', cause: 'connection' }, 4)
    expect(ejected).toEqual([])
  })

  it('puts its instance out once, however many were under way, and for the longer of two times', () => {
    const [one] = group.instances()
    const underWay = Array.from({ length: 12 }, () => group.enter(one!, false)!)
    for (const passage of underWay.slice(0, 10)) passage.heard(503)
    for (const passage of underWay.slice(10)) passage.ended({ kind: 'failed', cause: 'connect' })
    expect(ejected).toEqual([`${ONE} failures`])
    expect(one!.downUntil).toBeGreaterThan(performance.now() + BALANCE.ejection.forMs / 2)
  })

  it.each([
    ['one that accepts no connection', 'connect', 1, 1_000],
    ['one that fails five times in a row', 'connection', 5, 10_000],
  ] as const)('keeps %s out for its time, and no longer', (_what, cause, times, forMs) => {
    vi.useFakeTimers({ toFake: ['performance'] })
    end({ kind: 'failed', cause }, times)
    vi.advanceTimersByTime(forMs - 1)
    const early = group.isUp()
    vi.advanceTimersByTime(1)
    const late = group.isUp()
    vi.useRealTimers()
    expect([early, late]).toEqual([false, true])
  })

  it('counts anew for an instance that is back', () => {
    group = make({ ejection: { failures: 2, forMs: 0, share: 1 } })
    group.set([ONE])
    end({ kind: 'failed', cause: 'connection' }, 3)
    expect(ejected).toEqual([`${ONE} failures`])
  })
})

it('is not up while all its instances are unhealthy or out', () => {
  group.set([ONE, TWO])
  const [one, two] = group.instances()
  group.checked(one!, false)
  expect(group.isUp()).toBe(true)
  group.enter(two!, false)!.ended({ kind: 'failed', cause: 'connect' })
  expect(group.isUp()).toBe(false)
  group.checked(one!, true)
  expect(group.isUp()).toBe(true)
})

it('is not up while its breaker is open, whatever its instances are', async () => {
  group = make({ ejection: { ...BALANCE.ejection, failures: 1_000 } })
  group.set([ONE])
  const [one] = group.instances()
  for (let time = 0; time < 20; time += 1) group.enter(one!, false)!.heard(503)
  await new Promise(setImmediate)
  expect([group.isUp(), one!.downUntil, group.enter(one!, false)]).toEqual([false, Number.NEGATIVE_INFINITY, null])
})

it('goes on picking the only instance that there is, be all that may be put out by failures', () => {
  group = make({ ejection: { ...BALANCE.ejection, share: 1 } })
  group.set([ONE])
  const [one] = group.instances()
  group.enter(one!, false)!.ended({ kind: 'failed', cause: 'connect' })
  expect([group.isUp(), group.pick([])]).toEqual([false, one])
})

it('only the first sending of a request feeds its budget of retries', () => {
  const [one] = group.instances()
  for (let time = 0; time < 100; time += 1) group.enter(one!, true)!.ended({ kind: 'gone' })
  expect(Array.from({ length: 4 }, () => group.budget.spend())).toEqual([true, true, true, false])
  for (let time = 0; time < 100; time += 1) group.enter(one!, false)!.ended({ kind: 'gone' })
  expect(group.budget.spend()).toBe(true)
})
