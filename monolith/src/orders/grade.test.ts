import { problem, refusal } from '@banyan/kit/service'
import { expect, it } from 'vitest'
import { gradePortError } from './grade.ts'

const graded = (error: unknown) => gradePortError(error).kind

it.each([400, 402, 404, 409, 410, 422])(
  'takes a problem of %i for a judgement: nothing was done, for good',
  (status) => {
    const outcome = gradePortError(problem(status, 'no', 'because', { lines: [1] }))
    const detail = { status, members: { lines: [1] } }
    expect(outcome).toEqual({ kind: 'refused', reason: { code: 'no', message: 'because', detail } })
  },
)

it.each([401, 403, 408, 425, 429, 500, 502, 503, 504])('takes a problem of %i for no answer at all', (status) => {
  expect(graded(problem(status, 'inventory-unreachable', 'try again'))).toBe('failed')
})

it.each([
  ['another owner', refusal('inventory', 'service', 'monolith')],
  ['a context that moves', refusal('inventory', 'moving', 'monolith')],
  ['the fence itself', Object.assign(new Error('closed'), { code: 'BN001' })],
  ['an owner that is this process', Object.assign(new Error('here'), { reason: 'owner-is-here' })],
])('waits where it was refused by %s: nothing was done, for now', (_by, error) => {
  expect(graded(error)).toBe('later')
})

it('knows nothing of what else is thrown', () => {
  for (const error of [new Error('socket hang up'), 'text', null]) expect(graded(error)).toBe('failed')
})
