import { generateKeyPairSync } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createTokenSigner, createTokenVerifier } from '@banyan/kit/service'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { startProxy, type TestProxy, type TestProxyOptions } from '../../test-support/start-proxy.ts'
import { startUpstream, type TestUpstream } from '../../test-support/upstream.ts'
import { parseRoutes } from '../routes/parse.ts'
import { createAdmit } from './admit.ts'
import { clientAddress } from './client-address.ts'
import { createRateLimiter } from './rate-limit.ts'

const ROUTES = `
contexts: { goods: goods-service }
limits: { address: 30/1h }
cors: { origins: ["https://shop.example"], credentials: true, headers: [authorization], expose: [x-total], max-age: 10m }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: GET, path: /api/mine, context: goods, access: read, auth: required, limits: { account: 3/1h } }
  - { method: POST, path: /api/sessions, context: goods, access: write, limits: { address: 2/1h } }
`
const expected = { issuer: 'https://id.example', audience: 'shop', typ: 'at+jwt' }
const keyOf = (kid: string) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    privateJwk: { ...privateKey.export({ format: 'jwk' }), kid },
    publicJwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256' },
  }
}
const key = keyOf('one')
const signer = (over: object = {}) =>
  createTokenSigner({ ...expected, privateJwk: key.privateJwk, ttlSeconds: 60, ...over } as never)
const bearer = async (sub: string, over: object = {}) => ({
  authorization: `Bearer ${await signer(over).sign({ sub })}`,
})

let monolith: TestUpstream
let proxy: TestProxy
const open = (more: Partial<TestProxyOptions> = {}) =>
  startProxy({
    routes: ROUTES,
    monolith: monolith.url,
    verifier: createTokenVerifier({ ...expected, jwks: { keys: [key.publicJwk] } as never }),
    trustedHops: 1,
    ...more,
  })
beforeAll(async () => {
  monolith = await startUpstream('monolith', (req, res) => {
    if (req.url === '/plain') res.end('x')
    else
      res
        .writeHead(200, {
          'access-control-allow-origin': '*',
          'x-powered-by': 'Express',
          'x-frame-options': 'DENY',
          vary: 'Accept',
        })
        .end('{}')
  })
})
afterAll(() => monolith.close())
beforeEach(async () => {
  monolith.seen.length = 0
  proxy = await open()
  return () => proxy.close()
})
let addresses = 0
/** Each from an address of its own, unless told. */
const ask = async (
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
  from = `10.1.0.${addresses++}`,
) => {
  const answer = await fetch(proxy.url + path, { method, headers: { 'x-forwarded-for': from, ...headers } })
  const text = await answer.text()
  const code = answer.headers.get('content-type')?.includes('problem')
    ? (JSON.parse(text) as { code: string }).code
    : ''
  return { status: answer.status, code, headers: answer.headers }
}
const metrics = () => proxy.parts.metrics.http.registry.metrics()

describe('a token that a rule requires', () => {
  it('passes once it is checked, and is asked for where it is missing', async () => {
    expect((await ask('/api/mine', await bearer('7'))).status).toBe(200)
    const without = await ask('/api/mine')
    expect([without.status, without.code]).toEqual([401, 'authentication-required'])
    expect(without.headers.get('www-authenticate')).toBe('Bearer')
    expect((await ask('/api/goods')).status).toBe(200)
    expect(monolith.seen.map((one) => one.url)).toEqual(['/api/mine', '/api/goods'])
  })

  it.each([
    ['expired', async () => (await bearer('7', { now: () => new Date(Date.now() - 3_600_000) })).authorization],
    ['from another issuer', async () => (await bearer('7', { issuer: 'https://evil.example' })).authorization],
    ['for another audience', async () => (await bearer('7', { audience: 'other' })).authorization],
    ['of another kind', async () => (await bearer('7', { typ: 'internal+jwt' })).authorization],
    ['signed with another key', async () => (await bearer('7', { privateJwk: keyOf('one').privateJwk })).authorization],
    ['of an unknown key', async () => (await bearer('7', { privateJwk: keyOf('two').privateJwk })).authorization],
    [
      'without a signature',
      async () => {
        const [, payload] = (await bearer('7')).authorization.split('.')
        return `Bearer ${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${payload}.`
      },
    ],
    [
      'of another algorithm',
      async () => {
        const [, payload] = (await bearer('7')).authorization.split('.')
        return `Bearer ${Buffer.from('{"alg":"HS256","typ":"at+jwt","kid":"one"}').toString('base64url')}.${payload}.AAAA`
      },
    ],
    ['that is none', async () => 'Bearer garbage'],
  ])('%s is a 401 with a stable code, and the upstream sees nothing', async (_what, authorization) => {
    const answer = await ask('/api/mine', { authorization: await authorization() })
    expect([answer.status, answer.code]).toEqual([401, 'invalid-token'])
    expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
    expect(monolith.seen).toEqual([])
  })

  it('is checked with keys fetched from where they are published, and a 503 says when that fails', async () => {
    let keys: object[] = []
    const published = createServer((_req, res) =>
      res.setHeader('content-type', 'application/json').end(JSON.stringify({ keys })),
    )
    await new Promise<void>((resolve) => published.listen(0, '127.0.0.1', resolve))
    const jwksUrl = `http://127.0.0.1:${(published.address() as AddressInfo).port}/jwks.json`
    await proxy.close()
    proxy = await open({ verifier: createTokenVerifier({ ...expected, jwksUrl, cooldownMs: 0 }) })
    expect((await ask('/api/mine', await bearer('7'))).code).toBe('invalid-token')
    keys = [key.publicJwk]
    expect((await ask('/api/mine', await bearer('7'))).status).toBe(200)
    const next = keyOf('two')
    keys = [next.publicJwk]
    expect((await ask('/api/mine', await bearer('7', { privateJwk: next.privateJwk }))).status).toBe(200)
    published.close()
    published.closeAllConnections()
    const other = await ask('/api/mine', await bearer('7', { privateJwk: keyOf('three').privateJwk }))
    expect([other.status, other.code]).toEqual([503, 'keys-unavailable'])
  })

  it('that cannot be checked where none is required leaves the read with the owner, and begins no session', async () => {
    const service = await startUpstream('service')
    onTestFinished(() => service.close())
    await proxy.close()
    proxy = await open({
      verifier: createTokenVerifier({ ...expected, jwksUrl: 'http://127.0.0.1:1/jwks.json' }),
      services: { goods: service.url },
      flag: () => true,
    })
    proxy.own('goods', { phase: 'ready' })
    const answer = await ask('/api/goods', await bearer('7'))
    expect([answer.status, answer.headers.getSetCookie()]).toEqual([200, []])
    expect([monolith.seen.length, service.seen.length]).toEqual([1, 0])
    expect(await metrics()).toMatch(/reason="unchecked-token",context="goods"\} 1/)
  })
})

describe('a rate', () => {
  it('per account counts whatever address it comes from, and nobody else', async () => {
    const seven = await bearer('7')
    const statuses: number[] = []
    for (let time = 0; time < 4; time += 1) statuses.push((await ask('/api/mine', seven)).status)
    expect(statuses).toEqual([200, 200, 200, 429])
    expect((await ask('/api/mine', await bearer('8'))).status).toBe(200)
    expect(await metrics()).toContain('proxy_rate_limited_total{by="account"} 1')
  })

  it('per address counts whatever account, on its rule alone, and says when to come again', async () => {
    const from = '10.9.9.9'
    const statuses: number[] = []
    for (let time = 0; time < 3; time += 1) statuses.push((await ask('/api/sessions', {}, 'POST', from)).status)
    expect(statuses).toEqual([200, 200, 429])
    const refused = await ask('/api/sessions', {}, 'POST', from)
    expect([refused.status, refused.code]).toEqual([429, 'rate-limited'])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(1_000)
    expect((await ask('/api/goods', {}, 'GET', from)).status).toBe(200)
    expect(await metrics()).toContain('proxy_rate_limited_total{by="address"} 2')
  })

  it('of a rule is of that rule alone; what it lets through counts for all of its address', async () => {
    await proxy.close()
    proxy = await open({
      routes: `
contexts: { goods: goods-service }
limits: { address: 7/1h }
routes:
  - { method: GET, path: /a, context: goods, access: read, limits: { address: 2/1h } }
  - { method: GET, path: /b, context: goods, access: read, limits: { address: 2/1h } }
  - { method: GET, path: /c, context: goods, access: read, auth: required, limits: { account: 1/1h } }
  - { method: GET, path: /d, context: goods, access: read, auth: required, limits: { account: 1/1h, address: 1/1h } }
`,
    })
    const from = '10.9.9.5'
    // Its name is not taken for an address.
    const named = await bearer(from)
    const statuses: number[] = []
    for (const path of ['/a', '/a', '/a', '/b', '/b', '/c', '/d', '/elsewhere', '/elsewhere'])
      statuses.push((await ask(path, named, 'GET', from)).status)
    expect(statuses).toEqual([200, 200, 429, 200, 200, 200, 200, 200, 429])
    expect((await ask('/c', named)).status).toBe(429)
  })

  it('tells whole seconds to wait, and never none', () => {
    const admit = createAdmit({
      ...{ verifier: null, everywhere: { requests: 4, perMs: 1_000 }, limited: () => undefined },
      limiter: { take: () => 250, size: () => 0 },
    })
    const req = { headers: { 'x-forwarded-for': '10.0.0.1' } } as unknown as IncomingMessage
    expect(admit(req, null)).toMatchObject({ status: 429, retryAfter: 1 })
  })

  it('for all of an address bounds its requests together, off the rules too', async () => {
    const from = '10.9.9.8'
    const statuses = await Promise.all(Array.from({ length: 31 }, () => ask('/elsewhere', {}, 'GET', from)))
    expect(statuses.filter(({ status }) => status === 429)).toHaveLength(1)
  })

  it('of an address comes before its token, so that nobody has signatures checked without end', async () => {
    const from = '10.9.9.6'
    const forged = { authorization: 'Bearer garbage' }
    const all = await Promise.all(Array.from({ length: 31 }, () => ask('/api/mine', forged, 'GET', from)))
    expect(all.map(({ status }) => status).sort()).toEqual([...Array(30).fill(401), 429])
  })

  it('counts for who the trusted proxy saw, whatever a client says of itself', async () => {
    const statuses: number[] = []
    for (let time = 0; time < 3; time += 1)
      statuses.push((await ask('/api/sessions', {}, 'POST', `1.2.3.${time}, 10.9.9.7`)).status)
    expect(statuses).toEqual([200, 200, 429])
    await proxy.close()
    proxy = await open({ trustedHops: 0 })
    for (let time = 0; time < 3; time += 1)
      statuses.push((await ask('/api/sessions', {}, 'POST', `10.9.8.${time}`)).status)
    expect(statuses.slice(3)).toEqual([200, 200, 429])
  })

  it('gives back evenly what it took, and a whole burst after its time', () => {
    let now = 0
    const limiter = createRateLimiter({ now: () => now })
    const take = () => limiter.take('a', { requests: 4, perMs: 1_000 })
    expect([take(), take(), take(), take(), take()]).toEqual([0, 0, 0, 0, 250])
    now = 250
    expect([take(), take()]).toEqual([0, 250])
    now = 10_000
    expect([take(), take(), take(), take(), take()]).toEqual([0, 0, 0, 0, 250])
  })

  it('lets through as many as it says, into how many parts its time is ever divided', () => {
    const limiter = createRateLimiter({ now: () => 0 })
    for (let requests = 1; requests <= 100; requests += 1) {
      let passed = 0
      while (passed <= requests && limiter.take(String(requests), { requests, perMs: 1_000 }) === 0) passed += 1
      expect(passed).toBe(requests)
    }
  })

  it('remembers a bounded number of addresses, and who still comes', () => {
    const limiter = createRateLimiter({ remembered: 100, now: () => 0 })
    const rate = { requests: 1_000, perMs: 1_000_000 }
    for (let time = 0; time < 5_000; time += 1) {
      limiter.take(`flood ${time}`, rate)
      if (time % 50 === 0) limiter.take('steady', { requests: 100, perMs: 1_000_000 })
    }
    expect(limiter.size()).toBeLessThanOrEqual(202)
    expect(limiter.take('steady', { requests: 100, perMs: 1_000_000 })).toBeGreaterThan(0)
  })

  it('forgets nobody sooner for one whom it knows', () => {
    const limiter = createRateLimiter({ remembered: 2, now: () => 0 })
    const take = (who: string) => limiter.take(who, { requests: 2, perMs: 1_000_000 })
    for (const who of ['a', 'a', 'b', 'b', 'c', 'd']) expect(take(who)).toBe(0)
    expect(take('a')).toBeGreaterThan(0)
  })

  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['10.0.0.2, 127.0.0.1', '10.0.0.2'],
    ['10.0.0.2:4711, 127.0.0.1', '10.0.0.2'],
    ['::ffff:10.0.0.3', '10.0.0.3'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::9]:443, 127.0.0.1', '2001:db8:1:2::/64'],
    ['2001:DB8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['FE80:0:0:7::1%eth0', 'fe80:0:0:7::/64'],
    ['unknown, 127.0.0.1', '127.0.0.1'],
  ])('counts "%s" as %s', (forwardedFor, address) => {
    expect(clientAddress(forwardedFor)).toBe(address)
  })
})

describe('browsers of other origins', () => {
  const origin = 'https://shop.example'
  const preflight = { 'access-control-request-method': 'POST' }

  it('are answered here when they ask in advance, and the upstream is not asked', async () => {
    const answer = await ask('/api/sessions', { origin, ...preflight }, 'OPTIONS')
    expect(answer.status).toBe(204)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-allow-headers': 'authorization',
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'access-control-max-age': '600',
      vary: 'Origin',
    })
    const other = await ask('/api/sessions', { origin: 'https://evil.example', ...preflight }, 'OPTIONS')
    expect(other.headers.get('access-control-allow-origin')).toBeNull()
    expect(monolith.seen).toEqual([])
  })

  it('may read answers where the table says so, and problems as well; what upstreams say of it is dropped', async () => {
    const allowed = await ask('/api/goods', { origin })
    expect(allowed.headers.get('access-control-allow-origin')).toBe(origin)
    expect(allowed.headers.get('access-control-expose-headers')).toBe('x-total')
    expect(allowed.headers.get('vary')).toBe('Accept, Origin')
    expect((await ask('/api/mine', { origin })).headers.get('access-control-allow-origin')).toBe(origin)
    for (const headers of [{}, { origin: 'https://shop.example.evil.example' }, { origin: 'null' }] as Record<
      string,
      string
    >[])
      expect((await ask('/api/goods', headers)).headers.get('access-control-allow-origin')).toBeNull()
  })

  it('are told of apart from everybody else: no answer is kept for another origin, or for none', async () => {
    for (const headers of [{}, { origin }, { origin: 'https://evil.example' }] as Record<string, string>[]) {
      expect((await ask('/plain', headers)).headers.get('vary')).toBe('Origin')
      expect((await ask('/api/mine', headers)).headers.get('vary')).toBe('Origin')
    }
  })

  it('ask in advance by all three signs of it; what lacks one is a request like any', async () => {
    const asking: Record<string, string> = { origin, ...preflight }
    for (const [method, ...signs] of [
      ['GET', 'origin', 'access-control-request-method'],
      ['OPTIONS', 'origin'],
      ['OPTIONS', 'access-control-request-method'],
    ] as const) {
      const answer = await ask('/api/sessions', Object.fromEntries(signs.map((one) => [one, asking[one]!])), method)
      expect([answer.status, monolith.seen.at(-1)!.method]).toEqual([200, method])
      expect(answer.headers.get('access-control-max-age')).toBeNull()
    }
    expect(monolith.seen).toHaveLength(3)
  })

  it('are told nothing that the table does not say', async () => {
    await proxy.close()
    proxy = await open({ routes: ROUTES.replace(/cors: .*/, 'cors: { origins: ["https://shop.example"] }') })
    const told = async (headers: Record<string, string>, method: string) =>
      [...(await ask('/plain', { origin, ...headers }, method)).headers.keys()].filter((one) =>
        one.startsWith('access-'),
      )
    expect(await told({}, 'GET')).toEqual(['access-control-allow-origin'])
    expect(await told(preflight, 'OPTIONS')).toEqual(
      ['allow-methods', 'allow-origin', 'max-age'].map((one) => `access-control-${one}`),
    )
  })

  it('read every refusal, of what does not arrive as well', async () => {
    for (const path of ['/internal', '/a%2fb'])
      expect((await ask(path, { origin })).headers.get('access-control-allow-origin'), path).toBe(origin)
  })

  it('ask in advance as often as their address may ask at all, and not under the rule they ask for', async () => {
    const asked = () => ask('/api/sessions', { origin, ...preflight }, 'OPTIONS', '10.9.0.1')
    for (let time = 0; time < 30; time++) expect((await asked()).status).toBe(204)
    const over = await asked()
    expect([over.status, over.headers.get('access-control-allow-origin')]).toEqual([429, origin])
    expect((await ask('/plain', {}, 'GET', '10.9.0.1')).status).toBe(429)
    await proxy.close()
    proxy = await open({
      routes: `${ROUTES}  - { method: OPTIONS, path: /api/asked, context: goods, access: read, auth: required, limits: { account: 1/1h } }\n`,
    })
    for (let time = 0; time < 3; time++)
      expect((await ask('/api/asked', { origin, ...preflight }, 'OPTIONS')).status).toBe(204)
    expect((await ask('/api/asked', { origin }, 'OPTIONS')).status).toBe(401)
  })

  it('are left to the upstreams where the table says nothing', async () => {
    await proxy.close()
    proxy = await open({ routes: ROUTES.replace(/cors: .*/, '') })
    expect((await ask('/api/goods', { origin })).headers.get('access-control-allow-origin')).toBe('*')
    await ask('/api/sessions', { origin, ...preflight }, 'OPTIONS')
    expect(monolith.seen.at(-1)!.method).toBe('OPTIONS')
  })
})

it('an answer has the headers that keep browsers safe, unless the upstream has its own, and a name to ask by', async () => {
  const own = await ask('/api/goods', { 'x-request-id': 'order-1' })
  expect(own.headers.get('x-frame-options')).toBe('DENY')
  expect(own.headers.get('x-powered-by')).toBeNull()
  const plain = await ask('/plain')
  const refused = await ask('/api/mine')
  expect(refused.status).toBe(401)
  for (const { headers } of [plain, refused])
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'SAMEORIGIN',
      'referrer-policy': 'no-referrer',
    })
  expect(own.headers.get('x-request-id')).toBe('order-1')
  expect(plain.headers.get('x-request-id')).toBe(monolith.seen.at(-1)!.headers['x-request-id'])
  expect(monolith.seen.at(-1)!.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
})

it.each([
  ['limits: { address: 30 per hour }', 'limits.address: must be a rate such as 100/1m'],
  ['limits: { address: 0/1m }', 'limits.address: must be a rate such as 100/1m'],
  ['cors: { origins: ["*"], credentials: true }', 'cors.origins[0]: must be an origin such as https://shop.example'],
  ['cors: { origins: ["https://shop.example/"] }', 'cors.origins[0]: must be an origin'],
  ['cors: {}', 'cors.origins is missing'],
])('%s is refused with its line', (line, message) => {
  const table = ROUTES.replace(line.startsWith('limits') ? /limits: \{ address: 30.*/ : /cors: .*/, line)
  expect(() => parseRoutes(table, 'routes.yaml')).toThrow(message)
})

it('a rate per account needs to know accounts', () => {
  const table = ROUTES.replace('auth: required, limits', 'limits')
  expect(() => parseRoutes(table, 'routes.yaml')).toThrow(
    'routes.yaml:7: a rate per account on a rule that requires no token. Remedy: say "auth: required", or limit the address',
  )
})
