import { describe, expect, it, onTestFinished, vi } from 'vitest'

// What the page's scripts make of numbers and of a context's state, without a browser; in one they are driven in
// page.int.test.ts.

const script = (name: string) => import(new URL(`../../../console/${name}`, import.meta.url).href)
const { span, milliseconds, count, moment } = await script('format.js')
const { copyOf, lagOf, verifiedOf } = await script('progress.js')

it.each([
  [-5, '0.0 s'],
  [0, '0.0 s'],
  [9_949, '9.9 s'],
  [9_950, '10 s'],
  [99_499, '99 s'],
  [99_500, '2 min'],
  [5_939_999, '99 min'],
  [5_940_000, '2 h'],
  [172_799_999, '48 h'],
  [172_800_000, '2 d'],
])('%i ms is a span of %s', (ms, text) => {
  expect(span(ms)).toBe(text)
})

it.each([
  [null, '–'],
  [0.04, '0.0 ms'],
  [9.94, '9.9 ms'],
  [10, '10 ms'],
  [999, '999 ms'],
  [1_000, '1.0 s'],
  [9_999, '10.0 s'],
  [10_000, '10 s'],
])('a latency of %s is shown as %s', (ms, text) => {
  expect(milliseconds(ms)).toBe(text)
})

it('counts have their thousands apart', () => {
  expect([count(0), count('1234567')]).toEqual(['0', '1,234,567'])
})

it('a moment has its day where it is another one', () => {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date(2020, 0, 2, 23, 59) })
  onTestFinished(() => void vi.useRealTimers())
  expect([2, 1].map((day) => moment(new Date(2020, 0, day, 15, 4, 5).toISOString()))).toEqual([
    '15:04:05',
    '2020-01-01 15:04:05',
  ])
})

describe('the copy of a context', () => {
  const copy = { done: 1_250, total: 5_000, etaSeconds: 75, finished: false, waitsFor: null }

  it('is shown while it is under way, and while its end is news', () => {
    for (const phase of ['copying', 'following'])
      expect(copyOf({ phase, copy })).toEqual({
        ...{ kind: 'plain', bar: 0.25, text: '1,250 of 5,000 rows, 25 %, about 75 s left' },
      })
    for (const phase of ['idle', 'prepared', 'ready', 'switched', 'completed'])
      expect(copyOf({ phase, copy })).toBeNull()
    expect(copyOf({ phase: 'copying', copy: null })).toBeNull()
    expect(copyOf({ phase: 'following', copy: { ...copy, finished: true } })).toEqual({
      ...{ kind: 'plain', text: '1,250 rows copied' },
    })
  })

  it('says what it waits for, and promises no time that it does not know', () => {
    expect(copyOf({ phase: 'copying', copy: { ...copy, etaSeconds: null, waitsFor: 'the lag to fall' } })).toEqual({
      ...{ kind: 'warn', bar: 0.25 },
      text: '1,250 of 5,000 rows, 25 %, time left unknown; stands still, waits for the lag to fall',
    })
  })

  it('of nothing is whole, and nearly all is not all', () => {
    expect(copyOf({ phase: 'copying', copy: { ...copy, done: 0, total: 0 } })).toMatchObject({ bar: 1 })
    expect(copyOf({ phase: 'copying', copy: { ...copy, done: 4_999 } }).text).toContain(' 99 %')
  })
})

describe('the lag of a context', () => {
  it('warns from where a switch would be refused', () => {
    expect(lagOf({ lagMs: 1_000, phase: 'ready' })).toEqual({ kind: 'plain', text: 'lag 1.0 s' })
    expect(lagOf({ lagMs: 1_001, phase: 'ready' })).toEqual({ kind: 'warn', text: 'lag 1.0 s' })
  })

  it('is shown where there is one', () => {
    for (const lagMs of [null, undefined]) expect(lagOf({ lagMs, phase: 'ready' })).toBeNull()
    for (const phase of ['idle', 'prepared', 'completed']) expect(lagOf({ lagMs: 1, phase })).toBeNull()
    for (const phase of ['copying', 'following', 'ready', 'switching', 'switched'])
      expect(lagOf({ lagMs: 1, phase })).not.toBeNull()
  })
})

describe('the verification of a context', () => {
  const MINUTE = 60_000
  const verification = { rows: 1_000, different: 0, voidedBy: null, agoMs: 15 * MINUTE }
  const shown = (change: object, phase = 'ready') => verifiedOf({ verification: { ...verification, ...change }, phase })

  it('is good for a quarter of an hour, after which a switch would be refused', () => {
    expect(shown({})).toEqual({ kind: 'ok', text: '1,000 rows verified 15 min ago' })
    expect(shown({ agoMs: 15 * MINUTE + 1 })).toMatchObject({ kind: 'warn' })
    // Once it is switched, nothing asks for another one.
    expect(shown({ agoMs: 15 * MINUTE + 1 }, 'switched')).toMatchObject({ kind: 'ok' })
  })

  it('says first of all what differs, then what made it void', () => {
    expect(shown({ different: 3, voidedBy: 'a repair' })).toEqual({
      ...{ kind: 'bad', text: '3 of 1,000 rows differ, 15 min ago' },
    })
    expect(shown({ voidedBy: 'a repair' })).toEqual({ kind: 'warn', text: 'verification void: a repair' })
  })

  it('stands still while it is read', () => {
    expect([0, 9_999, 10_000, 59_999].map((agoMs) => shown({ agoMs }).text)).toEqual(
      ['0.0 s', '0.0 s', '10 s', '50 s'].map((ago) => `1,000 rows verified ${ago} ago`),
    )
  })

  it('is missed where there could be one', () => {
    for (const phase of ['following', 'ready'])
      expect(verifiedOf({ verification: null, phase })).toEqual({ kind: 'plain', text: 'not verified yet' })
    for (const phase of ['idle', 'copying', 'switched', 'completed'])
      expect(verifiedOf({ verification: null, phase })).toBeNull()
  })
})
