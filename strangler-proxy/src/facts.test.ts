import type { IncomingMessage } from 'node:http'
import { Problem, type TokenVerifier } from '@banyan/kit/service'
import { expect, it } from 'vitest'
import { ownershipOf } from '../test-support/start-proxy.ts'
import { createCookies } from './cookies.ts'
import { decide } from './decide.ts'
import { createFacts } from './facts.ts'
import { parseRoutes } from './routes/parse.ts'
import { createSigner } from './sign.ts'

const { routes } = parseRoutes(
  `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /goods, context: goods, access: read }
  - { method: GET, path: /mine, context: goods, access: read, auth: required }
`,
  'routes.yaml',
)
const verifier: TokenVerifier = {
  verify: async (token) => ({ sub: `user of ${token}` }),
  known: (token) => (token === 'seen' ? { sub: 'a user seen before' } : undefined),
}
const cookies = createCookies(createSigner('a cookie key for tests'), { secure: false })
const gather = createFacts(cookies, verifier)
const failing = (why: Error): TokenVerifier => ({ known: () => undefined, verify: () => Promise.reject(why) })

it.each(['Bearer t', 'bearer t', 'BEARER  t'])('knows the user of %j, as a service does', async (authorization) => {
  const req = { headers: { authorization } } as IncomingMessage
  expect((await gather(req, routes[0]!, null)).facts.userId).toBe('user of t')
})

it('takes who has no valid token for nobody, and tells them apart by a session', async () => {
  const judge = createFacts(cookies, failing(new Problem(401, 'invalid-token', 'forged')))
  const req = { headers: { authorization: 'Bearer forged' } } as IncomingMessage
  const { facts, setCookie } = await judge(req, routes[0]!, null)
  expect(facts).toMatchObject({ userId: undefined, sessionId: expect.any(String) })
  expect(setCookie).toContain('banyan-session=')
})

it.each([
  ['the keys are away', new Problem(503, 'keys-unavailable', 'away')],
  ['checking it fails', new Error('failed')],
])('takes who has a token for nobody while %s: reads stay with the owner, no session begins', async (_, why) => {
  const judge = createFacts(cookies, failing(why))
  const session = cookies.newSession()
  for (const cookie of [undefined, session.setCookie.split(';')[0]!]) {
    const req = { headers: { authorization: 'Bearer good', cookie } } as IncomingMessage
    const { facts, setCookie } = await judge(req, routes[0]!, null)
    expect(setCookie).toBeNull()
    for (const owner of ['monolith', 'service'] as const)
      expect(decide(routes[0]!, ownershipOf('goods', { phase: 'ready', owner }), () => true, facts)).toEqual({
        side: owner,
        reason: 'unchecked-token',
      })
  }
})

it('gives no session to who has one, has a token, or needs one for it', async () => {
  const { id, setCookie } = cookies.newSession()
  const of = (headers: object, rule = 0) => gather({ headers } as IncomingMessage, routes[rule]!, null)
  expect(await of({ cookie: setCookie.split(';')[0]! })).toMatchObject({ facts: { sessionId: id }, setCookie: null })
  expect(await of({ authorization: 'Bearer t' })).toMatchObject({ facts: { sessionId: undefined }, setCookie: null })
  expect(await of({}, 1)).toMatchObject({ facts: { sessionId: undefined }, setCookie: null })
})

it('knows the user of a token that was seen before at once, without waiting', () => {
  const req = { headers: { authorization: 'Bearer seen' } } as IncomingMessage
  expect(gather(req, routes[0]!, null)).toMatchObject({ facts: { userId: 'a user seen before', sessionId: undefined } })
})
