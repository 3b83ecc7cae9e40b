import type { Request, Response } from 'express'
import { expect, it } from 'vitest'
import type { AuditLine } from '../audit.ts'
import { isSameOrigin, requireOperator } from './gate.ts'

const PROOF = 'a proof that only the page has'
type Headers = Record<string, string>
const request = (headers: Headers, context = 'goods') =>
  ({
    get: (name: string) => headers[name],
    params: { context },
    path: `/contexts/${context}/reads`,
  }) as never as Request

/** What becomes of an action: what it is refused with, or `done`; and what the audit is told. */
function act(role: 'operator' | 'viewer', headers: Headers, context?: string) {
  const lines: AuditLine[] = []
  const allow = requireOperator(async (line) => void lines.push(line))
  const res = { locals: { session: { name: 'ann', role, csrf: PROOF } } } as never as Response
  let became = 'nothing'
  try {
    allow(request(headers, context), res, () => {
      became = 'done'
    })
  } catch (error) {
    const { status, code } = error as { status: number; code: string }
    became = `${status} ${code}`
  }
  return { became, lines }
}
const OWN = { 'x-csrf-token': PROOF, host: 'ops:8081', origin: 'http://ops:8081', 'sec-fetch-site': 'same-origin' }

it('an operator acts from the console’s own page, also by a browser that does not say where it is from', () => {
  for (const headers of [OWN, { 'x-csrf-token': PROOF }])
    expect(act('operator', headers)).toEqual({ became: 'done', lines: [] })
})

it.each([
  ['no proof', { 'x-csrf-token': '' }],
  ['a proof that is too short', { 'x-csrf-token': PROOF.slice(0, -1) }],
  ['a proof that is too long', { 'x-csrf-token': `${PROOF}!` }],
  ['another proof of that length', { 'x-csrf-token': PROOF.toUpperCase() }],
  ['the page of another host', { origin: 'http://evil:8081' }],
  ['the page of another port', { origin: 'http://ops:8080' }],
  ['a page that has no origin', { origin: 'null' }],
  ['a page of the same site', { 'sec-fetch-site': 'same-site' }],
  ['a page of another site', { 'sec-fetch-site': 'cross-site' }],
] as [string, Headers][])('who acts with %s is refused, and stands in the audit', (_what, change) => {
  expect(act('operator', { ...OWN, ...change })).toEqual({
    became: '403 no-proof',
    lines: [
      {
        ...{ who: 'ann', what: 'console: reads', context: 'goods', result: 'refused' },
        why: expect.stringContaining('does not show that the console’s own page has sent it'),
      },
    ],
  })
})

it('a viewer is refused for being one, and where the proof is missing for that', () => {
  const { became, lines } = act('viewer', OWN)
  expect([became, lines]).toMatchObject(['403 not-an-operator', [{ why: expect.stringContaining('as a viewer') }]])
  expect(act('viewer', {}).became).toBe('403 no-proof')
})

it('the audit is told no context whose name could be none', () => {
  for (const name of ['a b', 'x'.repeat(65), 'goods\0', ''])
    expect(act('viewer', OWN, name).lines).toMatchObject([{ context: null, result: 'refused' }])
  expect(act('viewer', OWN, 'x'.repeat(64)).lines).toMatchObject([{ context: 'x'.repeat(64) }])
})

it('a page without a host to be compared with is of another origin', () => {
  expect(isSameOrigin(request({ origin: 'http://ops:8081' }))).toBe(false)
})
