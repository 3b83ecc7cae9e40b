import fc from 'fast-check'
import { expect, it } from 'vitest'
import { defineSaga } from './define.ts'
import type { Outcome } from './errors.ts'
import { shapeOf } from './leg.ts'
import { nextStep } from './next-step.ts'
import { isFinal, type SagaState } from './state.ts'
import { begin, calling, finished, retried, settled, turnedBack } from './transitions.ts'

const act = { remote: async () => undefined }
const saga = defineSaga({
  name: 'order',
  deadlineMs: 60_000,
  undoAttempts: 3,
  steps: [
    { name: 'reserve', do: act, undo: act },
    { name: 'charge', do: act, undo: act, deadlineMs: 5_000 },
    { name: 'confirm', do: act },
  ],
})
const kinds: Outcome['kind'][] = ['done', 'refused', 'later', 'failed']
const outcome = (kind: Outcome['kind']): Outcome => {
  if (kind === 'done') return { kind, patch: {} }
  if (kind === 'refused') return { kind, reason: { code: 'no', message: 'no' } }
  return { kind, message: kind }
}

/** Plays a saga against a callee whose answers are given; records what the callee saw, and how long nobody asked it. */
const play = (
  answers: readonly Outcome['kind'][],
  cancelAt: number,
  from = begin(saga, 's', {}, 0),
  of = saga,
  at = 0,
) => {
  let state: SagaState = from
  let now = at
  let longestWaitMs = 0
  const calls: string[] = []
  for (let turn = 0; turn < 500; turn += 1) {
    if (turn === cancelAt && state.status === 'RUNNING')
      state = { ...state, cancelRequested: { code: 'cancelled', message: 'asked to' } }
    const next = nextStep(state, shapeOf(of), now)
    if (next.kind === 'rest') return { state, calls, longestWaitMs }
    if (next.kind === 'wait') {
      longestWaitMs = Math.max(longestWaitMs, next.until - now)
      now = next.until
    } else if (next.kind === 'finish') state = finished(state, next, now)
    else if (next.kind === 'turn-back') state = turnedBack(state, next.reason, now)
    else {
      state = calling(state, next, of.steps[next.step]!.deadlineMs, now)
      const kind = answers[calls.length] ?? 'done'
      calls.push(`${next.kind} ${state.steps[next.step]!.name} ${kind}`)
      now += 10
      state = settled(state, next, outcome(kind), now, 0.5)
    }
  }
  throw new Error(`no end after ${calls.length} calls`)
}

it('goes through its steps in order and completes', () => {
  expect(play([], -1)).toMatchObject({
    state: { status: 'COMPLETED' },
    calls: ['do reserve done', 'do charge done', 'do confirm done'],
  })
})

it('asks for attention where a step of a saga that only goes forward is refused, and goes on with it when it is tried again', () => {
  const onward = defineSaga({
    name: 'refund',
    deadlineMs: 60_000,
    forwardOnly: true,
    steps: [
      { name: 'refund', do: act },
      { name: 'restock', do: act },
    ],
  })
  const walk = (answers: readonly Outcome['kind'][], from?: SagaState) => play(answers, -1, from, onward)
  const stuck = walk(['refused'], begin(onward, 's', {}, 0))
  expect(stuck.state).toMatchObject({ status: 'NEEDS_ATTENTION', reason: { code: 'no' } })
  expect(walk([], retried(stuck.state, true, 60_000, 0))).toMatchObject({
    state: { status: 'COMPLETED' },
    calls: ['do refund done', 'do restock done'],
  })
  expect(walk(['refused'], retried(stuck.state, true, 60_000, 0)).state.status).toBe('NEEDS_ATTENTION')
})

it('gives a saga that ran into its deadline all of its time again when it is tried again', () => {
  const onward = defineSaga({
    name: 'refund',
    deadlineMs: 60_000,
    forwardOnly: true,
    steps: [{ name: 'refund', do: act, deadlineMs: 5_000 }],
  })
  const never = Array.from({ length: 50 }, () => 'failed' as const)
  const stuck = play(never, -1, begin(onward, 's', {}, 0), onward)
  expect(stuck.state).toMatchObject({ status: 'NEEDS_ATTENTION', reason: { code: 'deadline' } })
  const day = 86_400_000
  expect(play([], -1, retried(stuck.state, true, 60_000, day), onward, day)).toMatchObject({
    state: { status: 'COMPLETED' },
    calls: ['do refund done'],
  })
})

it('does not turn back from a saga that only goes forward, though it was asked to', () => {
  const onward = defineSaga({
    name: 'refund',
    deadlineMs: 60_000,
    forwardOnly: true,
    steps: [{ name: 'refund', do: act }],
  })
  expect(play(['failed'], 1, begin(onward, 's', {}, 0), onward).state.status).toBe('COMPLETED')
})

it('turns back at its own deadline, though its step has more time', () => {
  const long = defineSaga({
    name: 'long',
    deadlineMs: 2_000,
    steps: [{ name: 'charge', do: act, undo: act, deadlineMs: 60_000 }],
  })
  const { state } = play(Array(5).fill('failed'), -1, begin(long, 's', {}, 0), long)
  expect(state).toMatchObject({ status: 'COMPENSATED', reason: { code: 'deadline' } })
})

it('undoes in reverse what was done when a step is refused, and not the refused step', () => {
  expect(play(['done', 'refused'], -1)).toMatchObject({
    state: { status: 'COMPENSATED', reason: { code: 'no' } },
    calls: ['do reserve done', 'do charge refused', 'undo reserve done'],
  })
})

it('undoes a refused step that may have been done by an earlier attempt', () => {
  expect(play(['done', 'failed', 'refused'], -1).calls.slice(3)).toEqual(['undo charge done', 'undo reserve done'])
})

it('compensates a step whose outcome is unknown when its deadline passes: a late success must not stay', () => {
  const failures = Array.from({ length: 12 }, () => 'failed' as const)
  const { state, calls } = play(['done', ...failures.slice(0, 6)], -1)
  expect(state).toMatchObject({ status: 'COMPENSATED', reason: { code: 'deadline' } })
  expect(calls.slice(-2)).toEqual(['undo charge done', 'undo reserve done'])
})

it('needs attention when a compensation keeps failing, and does not go on to the ones before it', () => {
  const { state, calls } = play(['done', 'done', 'refused', 'failed', 'failed', 'failed'], -1)
  expect(state).toMatchObject({ status: 'NEEDS_ATTENTION', reason: { code: 'compensation-failed' } })
  expect(calls.filter((call) => call.startsWith('undo reserve'))).toEqual([])
})

it('does not count the time a callee is closed for a switch as an attempt', () => {
  const { state } = play(['done', 'later', 'later', 'done'], -1)
  expect(state.status).toBe('COMPLETED')
  expect(state.steps[1]!.attempts).toBe(1)
})

it('nor as one of a compensation, which would need attention for nothing but a switch', () => {
  const { state, calls } = play(['done', 'refused', ...Array(9).fill('later')], -1)
  expect(state.status).toBe('COMPENSATED')
  expect(calls.at(-1)).toBe('undo reserve done')
})

it('asks a callee that does not answer more and more seldom, and at least every 15 seconds', () => {
  const patient = defineSaga({ ...saga, undoAttempts: 30 })
  const { state, longestWaitMs } = play(['done', 'refused', ...Array(20).fill('failed')], -1, undefined, patient)
  expect(state.status).toBe('COMPENSATED')
  expect(longestWaitMs).toBe(15_000)
})

it('ends well for every sequence of answers and every moment of a cancellation', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...kinds), { maxLength: 40 }), fc.integer({ min: -1, max: 20 }), (a, at) => {
      const { state, calls } = play(a, at)
      expect(isFinal(state.status)).toBe(true)
      const [reserve, charge] = state.steps
      expect(calls.filter((call) => call.startsWith('undo confirm'))).toEqual([])
      if (state.status === 'COMPENSATED')
        for (const step of [reserve!, charge!]) {
          expect(['waiting', 'refused', 'undone']).toContain(step.status)
          // Whatever is said of a later attempt: what may have been done is undone.
          if (calls.some((call) => call === `do ${step.name} done` || call === `do ${step.name} failed`))
            expect(calls).toContain(`undo ${step.name} done`)
        }
      if (state.status === 'COMPLETED') expect(calls.some((call) => call.startsWith('undo'))).toBe(false)
      if (state.status === 'NEEDS_ATTENTION')
        expect(state.steps.some((step) => step.status === 'undoing' && step.undoAttempts === 3)).toBe(true)
    }),
    { numRuns: 2_000 },
  )
})
