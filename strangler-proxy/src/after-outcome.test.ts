import { expect, it } from 'vitest'
import type { Cause } from './forward.ts'
import { afterOutcome, type Circumstances } from './resend.ts'
import { parseRoutes } from './routes/parse.ts'
import type { Route } from './routes/route.ts'

const { routes } = parseRoutes(
  `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: POST, path: /api/goods, context: goods, access: write, resend: idempotency-key }
  - { method: PUT, path: /api/goods, context: goods, access: write }
  - { method: DELETE, path: /api/goods, context: goods, access: write, resend: always }
  - { method: POST, path: /api/goods/search, context: goods, access: read }
  - { method: GET, path: /api/confirm, context: goods, access: write }
`,
  'routes.yaml',
)
const [route, write, silent, harmless, search, confirm] = routes as readonly [Route, Route, Route, Route, Route, Route]
/** A first sending of a read that has another place to go to, and time. */
const FIRST: Circumstances = {
  ...{ route, method: 'GET', repeatable: true, idempotencyKey: false },
  ...{ refusals: 0, failures: 0, stale: 0, elsewhere: true, leftMs: 1_000 },
}
const after = (cause: Cause, change: Partial<Circumstances> = {}) => {
  const next = afterOutcome({ kind: 'failed', cause }, { ...FIRST, ...change })
  return next.kind === 'again' && next.why !== 'refused'
    ? `again, ${next.same ? 'there' : 'elsewhere'}, ${next.free ? 'free' : 'paid'}`
    : next.kind
}
const alone = { elsewhere: false }

it.each([
  ['a connection that broke', 'connection', {}, 'again, elsewhere, paid'],
  ['a time that is up', 'deadline', {}, 'again, elsewhere, paid'],
  ['a connection that nobody accepted, which cost nobody anything', 'connect', {}, 'again, elsewhere, free'],
  ['an answer of 503, which was paid for when it was not taken', 'unavailable', {}, 'again, elsewhere, free'],
  ['a used connection that broke: once, of the same instance', 'stale', {}, 'again, there, free'],
  ['a used connection that broke once more: like any that breaks', 'stale', { stale: 1 }, 'again, elsewhere, paid'],
  ['a second failure, where there is a third place', 'connection', { failures: 1 }, 'again, elsewhere, paid'],
  ['a third one', 'connection', { failures: 2 }, 'problem'],
  ['a third one, though nothing was sent', 'connect', { failures: 2 }, 'problem'],
  ['a first one without another place: of the same once more', 'connection', alone, 'again, elsewhere, paid'],
  ['a second one without another place', 'connection', { ...alone, failures: 1 }, 'problem'],
  ['a time that is up without another place: it would be up again', 'deadline', alone, 'problem'],
  ['anything when no time is left', 'connection', { leftMs: 0 }, 'problem'],
  ['nothing that was sent, when no time is left', 'connect', { leftMs: 0 }, 'problem'],
  ['a used connection, when no time is left', 'stale', { leftMs: 0 }, 'problem'],
  ['a body that was too long', 'too-large', {}, 'problem'],
] as const)('a read after %s', (_what, cause, change, expected) => {
  expect(after(cause, change)).toBe(expected)
})

it.each([
  ['whose fate is not known', 'connection', {}, 'problem'],
  ['whose time is up', 'deadline', {}, 'problem'],
  ['on a used connection', 'stale', {}, 'problem'],
  ['of which nothing was sent', 'connect', {}, 'again, elsewhere, free'],
  ['of which nothing was sent, and whose body is gone', 'connect', { repeatable: false }, 'problem'],
  ['that carries a key', 'connection', { idempotencyKey: true }, 'again, elsewhere, paid'],
  ['that carries a key, and whose body is gone', 'connection', { idempotencyKey: true, repeatable: false }, 'problem'],
  [
    'that carries a key, of which its rule says nothing',
    'connection',
    { idempotencyKey: true, route: silent },
    'problem',
  ],
  ['that its rule calls harmless', 'connection', { route: harmless }, 'again, elsewhere, paid'],
  ['that is none: a read that is asked by a POST', 'connection', { route: search }, 'again, elsewhere, paid'],
  ['that carries a key, off the rules', 'connection', { idempotencyKey: true, route: null }, 'problem'],
] as const)('a write %s', (_what, cause, change, expected) => {
  expect(after(cause, { route: write, method: 'POST', ...change })).toBe(expected)
})

it.each([
  ['connect', 'connection'],
  ['stale', 'connection'],
  ['connection', 'connection'],
  ['deadline', 'timeout'],
  ['unavailable', 'unavailable'],
] as const)('what is sent again after %s is counted as %s', (cause, why) => {
  expect(afterOutcome({ kind: 'failed', cause }, FIRST)).toMatchObject({ kind: 'again', why })
})

it('nothing follows an answer, nor a client that has gone, whatever else could be tried', () => {
  for (const outcome of [{ kind: 'answered', status: 503 }, { kind: 'gone' }] as const)
    expect(afterOutcome(outcome, FIRST)).toEqual({ kind: 'done' })
})

it('what cannot be reached off the rules is named so: there the monolith may be gone for good', () => {
  const codes = ([route, null] as const).map((one) => {
    const next = afterOutcome({ kind: 'failed', cause: 'connect' }, { ...FIRST, route: one, failures: 2 })
    return next.kind === 'problem' ? next.problem.code : next.kind
  })
  expect(codes).toEqual(['upstream-unreachable', 'unrouted-unreachable'])
})

it('what was refused with nothing done is sent again after a pause that grows, within its deadline', () => {
  const refused = (change: Partial<Circumstances> = {}) =>
    afterOutcome({ kind: 'refused' }, { ...FIRST, route: write, method: 'POST', ...change })
  const pauses = [0, 1, 2, 3, 4, 9].map((refusals) => refused({ refusals }))
  expect(pauses).toEqual([20, 40, 80, 160, 250, 250].map((afterMs) => ({ kind: 'again', why: 'refused', afterMs })))
  expect(refused({ leftMs: 21 })).toMatchObject({ kind: 'again' })
  const moving = { kind: 'problem', problem: { status: 503, code: 'context-moving', retryAfter: 1 } }
  expect(refused({ leftMs: 20 })).toMatchObject(moving)
  expect(refused({ repeatable: false })).toMatchObject(moving)
  expect(refused({ route: null })).toMatchObject({ kind: 'problem', problem: { code: 'unrouted-write' } })
})

it('a GET whose rule says that it writes is sent again only where nothing was sent', () => {
  expect(after('connection', { route: confirm })).toBe('problem')
  expect(after('connection', { route: confirm, method: 'HEAD' })).toBe('problem')
  expect(after('connect', { route: confirm })).toBe('again, elsewhere, free')
  expect(after('connection', { route: null })).toBe('again, elsewhere, paid')
})
