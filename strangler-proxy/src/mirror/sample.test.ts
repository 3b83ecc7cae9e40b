import { createMaskAnswers, observe } from '@banyan/kit/parity/answers'
import { expect, it } from 'vitest'
import type { Copy } from './copy.ts'
import { toSample } from './sample.ts'

const mask = createMaskAnswers({})
const copy = {
  ...{ id: 1, context: 'goods', rule: 'GET /api/goods', path: '/api/goods', method: 'GET', url: '/api/goods' },
  headers: {
    accept: 'application/json',
    'content-type': 'text/plain',
    'x-colour': 'blue',
    'x-forwarded-for': '10.0.0.1',
    'user-agent': 'one',
  },
  ...{ owner: 'monolith', at: { monolith: '', service: '' }, given: null },
} as Copy
const answer = (text: string) => observe(200, { 'content-type': 'application/json' }, JSON.stringify({ text }))
const sampleOf = (owner: string, other: string) => {
  const [before, aside] = [answer(owner), answer(other)]
  return toSample(copy, { round: { before, aside, after: before }, open: [] }, mask)
}

it('keeps of what was asked only the headers by which it is asked again', () => {
  expect(sampleOf('one', 'two').headers).toEqual({ accept: 'application/json' })
})

it('leaves out the body of an answer that is too long, and no other', () => {
  const { owner, other } = sampleOf('short', 'x'.repeat(33_000)).answers
  expect(owner).toMatchObject({ status: 200, body: { text: 'short' } })
  expect(other).toMatchObject({ status: 200, body: '(too long to be kept)' })
})
