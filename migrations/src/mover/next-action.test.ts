import { describe, expect, it } from 'vitest'
import { type Intent, PHASES, type Phase, type Step, type Stored, VERBS, type Verb } from '../control/stored.ts'
import { backOffMs, nextAction } from './next-action.ts'
import { NOTHING_SEEN, type Seen } from './seen.ts'

const stored = (more: Partial<Stored> = {}): Stored => ({
  context: 'goods',
  phase: 'ready',
  formerPhase: null,
  direction: null,
  step: null,
  owner: 'monolith',
  hold: false,
  reads: 'flag',
  paused: false,
  epoch: 1n,
  token: 1n,
  term: 1n,
  move: 1n,
  ...more,
})
const seen = (more: Partial<Seen> = {}): Seen => ({ ...NOTHING_SEEN, ...more })
const wants = (verb: Verb, more: Partial<Intent> = {}): Intent => ({
  id: 1n,
  context: 'goods',
  verb,
  args: {},
  source: 'cli',
  who: 'test',
  why: null,
  state: 'running',
  ageMs: 0,
  waitsFor: null,
  ...more,
})
const decide = (row: Partial<Stored>, sight: Partial<Seen> = {}, intent: Intent | null = null) =>
  nextAction(stored(row), seen(sight), intent)

const at = (step: Step, more: Partial<Stored> = {}) =>
  ({ phase: 'switching', direction: 'to-service', formerPhase: 'ready', hold: true, step, ...more }) as const

describe('a switch goes step by step', () => {
  it.each([
    ['unlink', {}, { do: 'unlink' }],
    ['hold', { undrained: ['proxy a'] }, { do: 'wait', for: 'requests in flight at proxy a' }],
    ['hold', {}, { do: 'hold-ended' }],
    ['fence', {}, { do: 'fence' }],
    ['marker', {}, { do: 'wait', for: 'the marker to be applied' }],
    ['marker', { markerApplied: true }, { do: 'reconcile' }],
    ['sequences', {}, { do: 'sequences' }],
    ['commit', {}, { do: 'commit' }],
  ] as const)('%s, seeing %j: %j', (step, sight, action) => {
    expect(decide(at(step), sight)).toEqual(action)
  })

  it('and after the owner commit only forward: unfence, then release', () => {
    const committed = { phase: 'switched', owner: 'service', direction: 'to-service', hold: true } as const
    const called = { abortAsked: 'changed my mind', attempt: { ageMs: 99_000, budgetMs: 5_000, trouble: null } }
    expect(decide({ ...committed, step: 'unfence' }, called)).toEqual({ do: 'unfence' })
    expect(decide({ ...committed, step: 'release' }, called)).toEqual({ do: 'release' })
  })
})

describe('before the owner commit every step can be called off', () => {
  const steps = ['unlink', 'hold', 'fence', 'marker', 'sequences', 'commit'] as const
  it.each(steps)('%s that outlasts the budget leads to the abort', (step) => {
    const late = { attempt: { ageMs: 5_001, budgetMs: 5_000, trouble: null } }
    expect(decide(at(step), late)).toMatchObject({ do: 'begin-abort', again: true })
  })
  it.each(steps)('%s with trouble stored leads to the abort', (step) => {
    const trouble = { reason: 'no lock', again: true }
    expect(decide(at(step), { attempt: { ageMs: 1, budgetMs: 5_000, trouble } })).toEqual({
      do: 'begin-abort',
      ...trouble,
    })
  })
  it.each(steps)('%s is called off when asked, and not tried again', (step) => {
    expect(decide(at(step), { abortAsked: 'no' })).toEqual({ do: 'begin-abort', reason: 'no', again: false })
  })
  it('a change that cannot be applied ends the wait for the marker', () => {
    expect(decide(at('marker'), { blocked: 'products 7' })).toMatchObject({ do: 'begin-abort', again: false })
  })
  it('an abort raises the target first, then opens the source, then ends', () => {
    const aborting = { phase: 'aborting', direction: 'to-service', formerPhase: 'ready' } as const
    expect(decide({ ...aborting, step: 'raise-target' })).toEqual({ do: 'raise-target' })
    expect(decide({ ...aborting, step: 'unfence-source' })).toEqual({ do: 'unfence-source' })
    expect(decide({ ...aborting, step: 'release' })).toEqual({ do: 'end-abort' })
  })
})

it('whatever another mover was doing is taken over before anything else', () => {
  for (const phase of PHASES) {
    if (phase === 'idle' || phase === 'completed') continue
    for (const step of [null, 'hold', 'commit', 'unfence', 'raise-target'] as const)
      expect(decide({ phase, step }, { mine: false }, wants('switch'))).toEqual({ do: 'take-over' })
  }
})

describe('what is out of order is refused', () => {
  const turn: Readonly<Record<Verb, readonly Phase[]>> = {
    prepare: ['idle'],
    unprepare: ['prepared', 'copying', 'following', 'ready'],
    backfill: ['prepared'],
    pause: ['copying'],
    resume: [],
    verify: ['following', 'ready', 'switched'],
    repair: ['following', 'ready', 'switched'],
    switch: ['ready'],
    rollback: ['switched'],
    complete: ['switched'],
  }
  const restful = PHASES.filter((phase) => phase !== 'switching' && phase !== 'aborting')
  it.each(VERBS.flatMap((verb) => restful.map((phase) => [verb, phase] as const)))('%s while %s', (verb, phase) => {
    const action = decide({ phase }, {}, wants(verb, { state: 'pending' }))
    if (turn[verb].includes(phase)) expect(action).toEqual({ do: 'accept' })
    else expect(action).toMatchObject({ do: 'settle', as: 'refused' })
  })
})

describe('an interlock', () => {
  const passing = { interlocks: [{ waitsFor: 'the lag', passing: true }] }
  const standing = { interlocks: [{ waitsFor: 'a verification', passing: false }] }
  it.each(['switch', 'rollback'] as const)(
    'that passes by itself is waited for a while, then refuses the %s',
    (verb) => {
      const phase = verb === 'switch' ? 'ready' : 'switched'
      const pending = wants(verb, { state: 'pending' })
      expect(decide({ phase }, passing, pending)).toEqual({ do: 'wait', for: 'the lag' })
      expect(decide({ phase }, { ...passing, waitedMs: 5_000 }, pending)).toEqual({
        do: 'settle',
        as: 'refused',
        because: 'the lag',
      })
      expect(decide({ phase }, standing, pending)).toEqual({
        do: 'settle',
        as: 'refused',
        because: 'a verification',
      })
    },
  )
  it('that is being worked off is waited for longer, but not for ever, and not beside one that stands', () => {
    const lag = { waitsFor: 'the lag', passing: true, catchingUp: true }
    const pending = wants('switch', { state: 'pending' })
    const late = (waitedMs: number, ...more: Seen['interlocks']) =>
      decide({}, { interlocks: [lag, ...more], waitedMs }, pending)
    expect(late(29_999)).toEqual({ do: 'wait', for: 'the lag' })
    expect(late(30_000)).toMatchObject({ do: 'settle', as: 'refused' })
    expect(late(0, ...standing.interlocks)).toMatchObject({ do: 'settle', as: 'refused' })
  })
  it('is looked at again right before each attempt', () => {
    expect(decide({}, standing, wants('switch'))).toMatchObject({ do: 'settle', as: 'refused' })
    expect(decide({}, {}, wants('switch'))).toEqual({ do: 'begin-switch', direction: 'to-service' })
    expect(decide({ phase: 'switched', owner: 'service' }, {}, wants('rollback'))).toEqual({
      do: 'begin-switch',
      direction: 'to-monolith',
    })
  })
})

it('a completion that was accepted is held by what has come in its way since, until it has begun', () => {
  const standing = { interlocks: [{ waitsFor: 'readers', passing: false }] }
  const switched = { phase: 'switched', owner: 'service' } as const
  expect(decide(switched, standing, wants('complete'))).toMatchObject({ do: 'settle', as: 'refused' })
  expect(decide(switched, {}, wants('complete'))).toEqual({ do: 'complete' })
  expect(decide({ ...switched, step: 'completing' }, standing, wants('complete'))).toEqual({ do: 'complete' })
})

describe('after an abort', () => {
  const aborted = (times: number, agoMs: number, again = true) => ({
    aborts: { aborted: times, lastAbort: { reason: 'no lock', agoMs, again } },
  })
  it('the next attempt waits for its back-off, which doubles', () => {
    expect([1, 2, 3, 4, 5, 9].map(backOffMs)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 8_000])
    expect(decide({}, aborted(2, 999), wants('switch'))).toMatchObject({ do: 'wait' })
    expect(decide({}, aborted(2, 1_001), wants('switch'))).toMatchObject({ do: 'begin-switch' })
  })
  it('the intent fails when another attempt cannot help, or five were in vain', () => {
    expect(decide({}, aborted(1, 9_000, false), wants('switch'))).toMatchObject({ do: 'settle', as: 'failed' })
    expect(decide({}, aborted(5, 9_000), wants('switch'))).toMatchObject({ do: 'settle', as: 'failed' })
  })
})

describe('without anything asked', () => {
  it('an owner that is closed at rest is opened before anything else', () => {
    for (const phase of ['prepared', 'copying', 'following', 'ready', 'switched'] as const)
      expect(decide({ phase }, { ownerClosed: true }, wants('switch'))).toEqual({ do: 'reopen' })
  })
  it('a copy goes on, and ends by itself', () => {
    expect(decide({ phase: 'copying' })).toEqual({ do: 'copy' })
    expect(decide({ phase: 'copying', paused: true })).toEqual({ do: 'rest' })
    expect(decide({ phase: 'copying' }, { copy: { finished: true, waitsFor: null } })).toEqual({ do: 'end-copy' })
  })
  it('a copy stands aside while the source is busy, and ends all the same when nothing is left of it', () => {
    expect(decide({ phase: 'copying' }, { copy: { finished: false, waitsFor: 'a quiet source' } })).toEqual({
      do: 'wait',
      for: 'a quiet source',
    })
    expect(decide({ phase: 'copying' }, { copy: { finished: true, waitsFor: 'a quiet source' } })).toEqual({
      do: 'end-copy',
    })
  })
  it('a copy that was asked to pause stands still first, then its backfill ends', () => {
    const asked = wants('backfill', { args: { pause: 'somebody' } })
    expect(decide({ phase: 'copying' }, {}, asked)).toEqual({ do: 'pause', paused: true })
    expect(decide({ phase: 'copying', paused: true }, {}, asked)).toMatchObject({ do: 'settle', as: 'failed' })
    expect(decide({ phase: 'following' }, {}, asked)).toMatchObject({ do: 'settle', as: 'done' })
  })
  it('foreign keys come back while the monolith owns the context, and only then', () => {
    expect(decide({}, { foreignKeysToRestore: 1 })).toEqual({ do: 'relink' })
    expect(decide({ phase: 'switched', owner: 'service' }, { foreignKeysToRestore: 1 })).toEqual({ do: 'rest' })
  })
  it('what was half prepared is taken away, what was half taken away is ended', () => {
    expect(decide({ phase: 'idle', step: 'preparing' })).toEqual({ do: 'unprepare' })
    expect(decide({ phase: 'idle', step: 'unpreparing' })).toEqual({ do: 'unprepare' })
    expect(decide({ phase: 'switched', owner: 'service', step: 'completing' })).toEqual({ do: 'complete' })
  })
  it('nothing is taken away while a proxy may still send reads there', () => {
    expect(decide({ phase: 'idle', step: 'unpreparing' }, { unaware: ['proxy a', 'proxy b'] })).toEqual({
      do: 'wait',
      for: 'reads to be back at the monolith, at proxy a, proxy b',
    })
  })
})

it('a verification grades: clean makes ready, differences take it back', () => {
  const found = (clean: boolean) => ({ ended: { clean, summary: 'so it is' } })
  expect(decide({ phase: 'following' }, found(true), wants('verify'))).toEqual({ do: 'grade', phase: 'ready' })
  expect(decide({ phase: 'ready' }, found(true), wants('verify'))).toMatchObject({ do: 'settle', as: 'done' })
  expect(decide({ phase: 'ready' }, found(false), wants('verify'))).toEqual({ do: 'grade', phase: 'following' })
  expect(decide({ phase: 'following' }, found(false), wants('verify'))).toMatchObject({ do: 'settle', as: 'failed' })
})

it('every state has an answer, and the same one each time', () => {
  const steps: (Step | null)[] = [
    null,
    'unlink',
    'hold',
    'fence',
    'marker',
    'sequences',
    'commit',
    'unfence',
    'release',
    'raise-target',
    'unfence-source',
    'preparing',
    'unpreparing',
    'completing',
  ]
  for (const phase of PHASES)
    for (const step of steps)
      for (const verb of [null, ...VERBS])
        for (const mine of [true, false])
          for (const state of ['pending', 'running'] as const) {
            const row = { phase, step, direction: 'to-service' as const }
            const action = decide(row, { mine }, verb && wants(verb, { state }))
            expect(action.do).toBeTypeOf('string')
            expect(decide(row, { mine }, verb && wants(verb, { state }))).toEqual(action)
          }
})
