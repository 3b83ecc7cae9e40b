import { expect, it } from 'vitest'
import { compare, createMaskAnswers, createRuleBook } from './index.ts'

const PERSONAL = { '': ['line1'], '/api/resets/:token': ['nickname'] }
const book = createRuleBook([], '2026-01-01')

it('keeps what differs and how, and no secret, wherever it stands in either answer, the question or a difference', () => {
  const mask = createMaskAnswers(PERSONAL)
  const answer = (nickname: string, line1: string, price: number) => ({
    status: 200,
    headers: { location: '/hello/planted-nick' },
    cookies: { seen: { value: 'planted-cookie' } },
    body: {
      price,
      nickname,
      said: `Hello ${nickname}`,
      address: { line1, zip: price + 70_000 },
      accessToken: 'planted-token',
    },
  })
  const [left, right] = [answer('planted-nick', 'planted street', 1), answer('planted-nick', 'another street', 2)]
  const question = {
    ...{
      route: '/api/resets/:token',
      method: 'GET',
      url: '/api/resets/planted-reset?size=2&email=planted%40b.example',
    },
    headers: { authorization: 'Bearer planted-bearer', cookie: 'a=planted-crumb', accept: 'application/json' },
  }
  const kept = mask(question, [left, right], compare(left, right, 'x', book))
  expect(JSON.stringify(kept)).not.toMatch(/planted|another|7000/)
  expect(kept.headers).toEqual({ accept: 'application/json' })
  expect(kept.url).toMatch(/^\/api\/resets\/‹\w+ \w+›\?size=2&email=‹email \w+›$/)
  expect(kept.differences.map(({ path, kind }) => `${path} ${kind}`)).toEqual([
    '$.body.price value',
    '$.body.address.line1 value',
    '$.body.address.zip value',
  ])
  const [one, other] = kept.documents as [typeof left, typeof right]
  expect([one.body.price, other.body.price]).toEqual([1, 2])
  expect(one.body.nickname).toBe(other.body.nickname)
  expect(one.body.said).toContain(one.body.nickname)
  // What differs is seen to differ.
  expect(one.body.address.line1).not.toBe(other.body.address.line1)
  expect(kept.differences[1]).toMatchObject({ left: one.body.address.line1, right: other.body.address.line1 })
})

it('tells a member that is called body, and is personal, from the body of an answer', () => {
  const mask = createMaskAnswers({ '/letters': ['body'] })
  const answer = (subject: string, of: string) => ({
    ...{ status: 200, headers: {}, cookies: {} },
    body: { items: [{ subject, body: `Hello ${of}` }] },
  })
  const [left, right] = [answer('Your order', 'planted one'), answer('Your orders', 'planted two')]
  const question = { route: '/letters', method: 'GET', url: '/letters', headers: {} }
  const kept = mask(question, [left, right, { status: 304, headers: {}, cookies: {} }], compare(left, right, 'x', book))
  expect(JSON.stringify(kept)).not.toContain('planted')
  expect(kept.documents).toMatchObject([
    { status: 200, body: { items: [{ subject: 'Your order' }] } },
    { body: { items: [{ subject: 'Your orders' }] } },
    { status: 304 },
  ])
  expect(kept.documents[2]).not.toHaveProperty('body')
  expect(kept.differences).toMatchObject([
    { path: '$.body.items[0].subject', left: 'Your order', right: 'Your orders' },
    { path: '$.body.items[0].body', left: expect.stringMatching(/^‹/), right: expect.stringMatching(/^‹/) },
  ])
})
