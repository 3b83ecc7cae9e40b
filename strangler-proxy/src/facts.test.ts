import type { IncomingMessage } from 'node:http'
import type { TokenVerifier } from '@banyan/kit/service'
import { expect, it } from 'vitest'
import { createCookies } from './cookies.ts'
import { createFacts } from './facts.ts'
import { parseRoutes } from './routes/parse.ts'
import { createSigner } from './sign.ts'

const { routes } = parseRoutes(
  'contexts: { goods: goods-service }\nroutes: [{ method: GET, path: /goods, context: goods, access: read }]',
  'routes.yaml',
)
const verifier: TokenVerifier = {
  verify: async (token) => ({ sub: `user of ${token}` }),
  known: (token) => (token === 'seen' ? { sub: 'a user seen before' } : undefined),
}
const gather = createFacts(createCookies(createSigner('a cookie key for tests'), { secure: false }), verifier)

it.each(['Bearer t', 'bearer t', 'BEARER  t'])('knows the user of %j, as a service does', async (authorization) => {
  const req = { headers: { authorization } } as IncomingMessage
  expect((await gather(req, routes[0]!, null)).facts.userId).toBe('user of t')
})

it('knows the user of a token that was seen before at once, without waiting', () => {
  const req = { headers: { authorization: 'Bearer seen' } } as IncomingMessage
  expect(gather(req, routes[0]!, null)).toMatchObject({ facts: { userId: 'a user seen before', sessionId: undefined } })
})
