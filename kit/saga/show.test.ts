import { expect, it } from 'vitest'
import { defineSaga } from './define.ts'
import { SagaError } from './errors.ts'
import { timeline, toMermaid } from './show.ts'
import { sketchOf } from './sketch.ts'
import { begin, finished } from './transitions.ts'

const act = { remote: async () => undefined }
const saga = defineSaga({
  name: 'order',
  deadlineMs: 1_000,
  steps: [
    { name: 'reserve', do: act, undo: act },
    { name: 'confirm', do: act },
  ],
})

it('draws the steps forward and the compensations back', () => {
  expect(toMermaid(sketchOf(saga))).toBe(`stateDiagram-v2
  [*] --> reserve
  reserve --> confirm
  undo_reserve --> COMPENSATED
  undo_reserve --> NEEDS_ATTENTION: keeps failing
  reserve --> undo_reserve: refused, late or cancelled
  confirm --> COMPLETED
  confirm --> undo_reserve: refused, late or cancelled
  COMPLETED --> [*]
  COMPENSATED --> [*]
  NEEDS_ATTENTION --> [*]
`)
})

it('tells what happened to one saga, line by line', () => {
  const ended = finished(begin(saga, 's', {}, 0), { kind: 'finish', status: 'COMPENSATED' }, 1_500)
  expect(timeline(ended)).toEqual(['1970-01-01T00:00:00.000Z started', '1970-01-01T00:00:01.500Z compensated'])
})

it('refuses a table of steps that cannot be right', () => {
  const refused = (change: object) => () => defineSaga({ name: 's', deadlineMs: 1, steps: saga.steps, ...change })
  expect(refused({ steps: [] })).toThrow(SagaError)
  expect(refused({ steps: [saga.steps[0], saga.steps[0]] })).toThrow(/two steps named reserve/)
  expect(refused({ deadlineMs: 0 })).toThrow(/above 0 ms/)
  expect(refused({ forwardOnly: true })).toThrow(/nothing to undo/)
})
