import { generateKeyPairSync } from 'node:crypto'
import { createTokenSigner } from '@banyan/kit/service'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase } from '../../../tests/support/infra.ts'
import { installContexts } from '../../test-support/install-contexts.ts'
import { startUpstream, type TestUpstream } from '../../test-support/upstream.ts'
import { startWholeProxy } from '../../test-support/whole-proxy.ts'

// What the parts do is tested beside them, put together by hand; here as the proxy itself does from its configuration.

const ROUTES = `
contexts: { goods: goods-service }
limits: { address: 60/1h }
cors: { origins: ["https://shop.example"] }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: GET, path: /api/mine, context: goods, access: read, auth: required }
`
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const expected = { issuer: 'https://id.example', audience: 'shop', typ: 'at+jwt' }
const tokenOf = (change: Partial<typeof expected>) =>
  createTokenSigner({
    ...{ ...expected, ...change },
    privateJwk: { ...privateKey.export({ format: 'jwk' }), kid: 'one' },
    ttlSeconds: 60,
  }).sign({ sub: '7' })

let database: Awaited<ReturnType<typeof createTestDatabase>>
let monolith: TestUpstream
let proxy: Awaited<ReturnType<typeof startWholeProxy>>
beforeAll(async () => {
  database = await createTestDatabase()
  await (await installContexts(database.url, ['goods'])).end()
  monolith = await startUpstream('monolith', (req, res) => res.writeHead(req.url === '/broken' ? 503 : 200).end('{}'))
  proxy = await startWholeProxy({
    routes: ROUTES,
    controlUrl: database.url,
    // Nobody listens there.
    unleash: { url: 'http://127.0.0.1:9/api', clientToken: 'none' },
    monolith: monolith.url,
    services: {},
    config: {
      JWT_JWKS: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', kty: 'EC' }] },
      JWT_ISSUER: expected.issuer,
      JWT_AUDIENCE: expected.audience,
      COOKIE_SECURE: true,
      TRUSTED_HOPS: 1,
    },
  })
})
afterAll(async () => {
  await proxy.close()
  await monolith.close()
  await database.drop()
})
let addresses = 0
/** Each from an address of its own, unless told. */
const ask = (path: string, headers: Record<string, string> = {}, from = `10.2.0.${addresses++}`) =>
  fetch(proxy.url + path, { headers: { 'x-forwarded-for': from, ...headers } })
const metrics = async () => await (await fetch(`${proxy.opsUrl}/metrics`)).text()

it('checks tokens by the keys, the issuer and the audience that it is told', async () => {
  const asked = async (change: Partial<typeof expected>) =>
    (await ask('/api/mine', { authorization: `Bearer ${await tokenOf(change)}` })).status
  expect((await ask('/api/mine')).status).toBe(401)
  expect(await asked({})).toBe(200)
  for (const change of [{ issuer: 'another' }, { audience: 'another' }, { typ: 'internal+jwt' }])
    expect(await asked(change)).toBe(401)
  expect(await metrics()).toContain('proxy_refusals_total{code="invalid-token"} 3')
})

it('bounds the requests of an address, which is the one that the proxy in front of it saw', async () => {
  const from = '10.3.0.1'
  const all = await Promise.all(Array.from({ length: 61 }, () => ask('/api/goods', {}, `1.2.3.4, ${from}`)))
  expect(all.filter(({ status }) => status === 429)).toHaveLength(1)
  expect((await ask('/api/goods', {}, from)).status).toBe(429)
  expect(await metrics()).toContain('proxy_rate_limited_total{by="address"} 2')
})

it('lets browsers of the allowed origins read answers, and tells all to keep to TLS', async () => {
  const origin = 'https://shop.example'
  const { headers } = await ask('/api/goods', { origin })
  expect(headers.get('access-control-allow-origin')).toBe(origin)
  expect(headers.get('strict-transport-security')).toBe('max-age=31536000; includeSubDomains')
  expect((await ask('/api/goods', { origin: 'https://evil.example' })).headers.has('access-control-allow-origin')).toBe(
    false,
  )
})

it('counts the breaker that opens and the instance that is put out', async () => {
  for (let time = 0; !(await metrics()).includes('{code="upstream-failing"}') && time < 10; time += 1)
    await Promise.all(Array.from({ length: 20 }, () => ask('/broken')))
  const text = await metrics()
  expect(text).toMatch(/^proxy_breaker_changes_total\{side="monolith",context="",to="open"\} [1-9]/m)
  expect(text).toMatch(/^proxy_ejections_total\{side="monolith",context="",why="failures"\} [1-9]/m)
  expect(text).toMatch(/^proxy_refusals_total\{code="upstream-failing"\} [1-9]/m)
  expect(text).toMatch(/^proxy_request_duration_seconds_count\{side="monolith",status="5xx"\} [1-9]/m)
})
