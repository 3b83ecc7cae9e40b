import type { Ownership } from '@banyan/kit/ownership'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { ownershipOf } from '../../test-support/start-proxy.ts'
import { WRITTEN_MARGIN_MS } from '../cookies.ts'
import { type CatchingUp, createCatchingUp } from './catching-up.ts'

const WITHIN_MS = 10_000
/** The control database's clock, which stands still here. */
const NOW = 1_000_000
/** The first heartbeat by which all that the owner had at `NOW` is surely there, and the last by which it is not. */
const LATER = new Date(NOW + WRITTEN_MARGIN_MS + 1)
const TOO_EARLY = new Date(NOW + WRITTEN_MARGIN_MS)

let known: Map<string, Ownership>
let catchingUp: CatchingUp
beforeEach(() => {
  vi.useFakeTimers()
  known = new Map(['goods', 'users'].map((context) => [context, ownershipOf(context, { phase: 'ready' })]))
  const ownership = { get: (context: string) => known.get(context), now: () => new Date(NOW) }
  catchingUp = createCatchingUp(ownership, WITHIN_MS)
})
afterEach(() => {
  catchingUp.close()
  vi.useRealTimers()
})
const own = (change: Partial<Ownership>, context = 'goods') => known.set(context, { ...known.get(context)!, ...change })
const wait = (context = 'goods') => {
  const told: boolean[] = []
  catchingUp.wait(context, (caughtUp) => told.push(caughtUp))
  return told
}

it('tells, once and soon, that a heartbeat has arrived which is later than the question by more than clocks differ', () => {
  const told = wait()
  own({ heartbeatApplied: TOO_EARLY })
  vi.advanceTimersByTime(1_000)
  expect(told).toEqual([])
  own({ heartbeatApplied: LATER })
  vi.advanceTimersByTime(50)
  expect(told).toEqual([true])
  vi.advanceTimersByTime(2 * WITHIN_MS)
  expect(told).toEqual([true])
})

it('tells that it has not when the time is up, be a heartbeat late or missing', () => {
  const [goods, users] = [wait(), wait('users')]
  own({ heartbeatApplied: TOO_EARLY })
  vi.advanceTimersByTime(WITHIN_MS)
  expect([goods, users]).toEqual([[], []])
  vi.advanceTimersByTime(50)
  expect([goods, users]).toEqual([[false], [false]])
})

it.each([
  ['has another owner', { term: 2n }],
  ['is being switched', { phase: 'switching' }],
  ['was taken back', { phase: 'idle' }],
] as [string, Partial<Ownership>][])(
  'tells at once that it has not where the context %s, whatever has arrived',
  (_what, change) => {
    const told = wait()
    own({ ...change, heartbeatApplied: LATER })
    vi.advanceTimersByTime(50)
    expect(told).toEqual([false])
  },
)

it('tells that of a context that is known no more', () => {
  const told = wait()
  known.delete('goods')
  vi.advanceTimersByTime(50)
  expect(told).toEqual([false])
})

it('waits on after a switch for what was asked of the new owner', () => {
  own({ phase: 'switched', owner: 'service', term: 2n })
  const told = wait()
  vi.advanceTimersByTime(1_000)
  expect(told).toEqual([])
  own({ heartbeatApplied: LATER })
  vi.advanceTimersByTime(50)
  expect(told).toEqual([true])
})

it('lets nobody wait for another one, and looks no more when nobody waits', () => {
  const [goods, users] = [wait(), wait('users')]
  own({ heartbeatApplied: LATER }, 'users')
  vi.advanceTimersByTime(50)
  expect([goods, users, vi.getTimerCount()]).toEqual([[], [true], 1])
  own({ heartbeatApplied: LATER })
  vi.advanceTimersByTime(50)
  expect([goods, vi.getTimerCount()]).toEqual([[true], 0])
  const again = wait('users')
  vi.advanceTimersByTime(50)
  expect(again).toEqual([true])
})

it('tells nobody anything once it is closed', () => {
  const told = wait()
  catchingUp.close()
  own({ heartbeatApplied: LATER })
  vi.advanceTimersByTime(2 * WITHIN_MS)
  expect([told, vi.getTimerCount()]).toEqual([[], 0])
})
