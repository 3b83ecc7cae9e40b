import { generateKeyPairSync } from 'node:crypto'
import { createTokenSigner } from '@banyan/kit/service'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { createTestDatabase } from '../../../tests/support/infra.ts'
import { installContexts } from '../../test-support/install-contexts.ts'
import { sendRaw } from '../../test-support/raw.ts'
import { startUpstream, type TestUpstream } from '../../test-support/upstream.ts'
import { startWholeProxy } from '../../test-support/whole-proxy.ts'
import type { ProxyConfig } from '../config.ts'
import { createCookies } from '../cookies.ts'
import { signOverride } from '../override.ts'
import { createSigner } from '../sign.ts'

// What the parts do is tested beside them, put together by hand; here as the proxy itself does from its configuration.

const ROUTES = `
contexts: { goods: goods-service }
limits: { address: 60/1h, body: 10kb }
hosts: ["127.0.0.1"]
cors: { origins: ["https://shop.example"] }
identity: { strip: [x-tenant-*] }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: POST, path: /api/goods, context: goods, access: write }
  - { method: GET, path: /api/mine, context: goods, access: read, auth: required }
  - { method: GET, path: /api/few, context: goods, access: read, auth: required, limits: { account: 2/1h } }
`
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const expected = { issuer: 'https://id.example', audience: 'shop', typ: 'at+jwt' }
const tokenOf = (change: Partial<typeof expected> & { now?: () => Date } = {}) =>
  createTokenSigner({
    ...{ ...expected, ...change },
    privateJwk: { ...privateKey.export({ format: 'jwk' }), kid: 'one' },
    ttlSeconds: 60,
  }).sign({ sub: '7' })
const keys = [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256', kty: 'EC' }]
const OWN = { COOKIE_KEY: 'a cookie key of its own', OVERRIDE_KEY: 'an override key of its own' }

let database: Awaited<ReturnType<typeof createTestDatabase>>
let control: Awaited<ReturnType<typeof installContexts>>
let monolith: TestUpstream
let service: TestUpstream
let proxy: Awaited<ReturnType<typeof startWholeProxy>>
const start = (config: Partial<ProxyConfig>) =>
  startWholeProxy({
    routes: ROUTES,
    controlUrl: database.url,
    // Nobody listens there.
    unleash: { url: 'http://127.0.0.1:9/api', clientToken: 'none' },
    monolith: monolith.url,
    services: { goods: service.url },
    config: { JWT_ISSUER: expected.issuer, JWT_AUDIENCE: expected.audience, TRUSTED_HOPS: 1, ...config },
  })
beforeAll(async () => {
  database = await createTestDatabase()
  control = await installContexts(database.url, ['goods'])
  monolith = await startUpstream('monolith', (req, res) => {
    res.setHeader('access-control-allow-origin', '*')
    res.writeHead(req.url === '/broken' ? 503 : 200).end('{}')
  })
  service = await startUpstream('service')
  proxy = await start({ JWT_JWKS: { keys }, COOKIE_SECURE: true, ...OWN })
})
afterAll(async () => {
  await proxy.close()
  await monolith.close()
  await service.close()
  await control.end()
  await database.drop()
})
let addresses = 0
/** Each from an address of its own, unless told. */
const ask = (path: string, headers: Record<string, string> = {}, from = `10.2.0.${addresses++}`, method = 'GET') =>
  fetch(proxy.url + path, { method, headers: { 'x-forwarded-for': from, ...headers } })
const metrics = async () => await (await fetch(`${proxy.opsUrl}/metrics`)).text()

it('checks tokens by the keys, the issuer and the audience that it is told', async () => {
  const asked = async (change: Parameters<typeof tokenOf>[0]) =>
    (await ask('/api/mine', { authorization: `Bearer ${await tokenOf(change)}` })).status
  expect((await ask('/api/mine')).status).toBe(401)
  expect(await asked({})).toBe(200)
  const longAgo = { now: () => new Date(Date.now() - 3_600_000) }
  for (const change of [{ issuer: 'another' }, { audience: 'another' }, { typ: 'internal+jwt' }, longAgo])
    expect(await asked(change)).toBe(401)
  expect(await metrics()).toContain('proxy_refusals_total{code="invalid-token"} 4')
})

it('fetches the keys of tokens from where they are published, where it is told so', async () => {
  const published = await startUpstream('keys', (_req, res) =>
    res.setHeader('content-type', 'application/json').end(JSON.stringify({ keys })),
  )
  const fetching = await start({ JWT_JWKS_URL: `${published.url}/jwks.json` })
  onTestFinished(() => Promise.all([fetching.close(), published.close()]).then(() => undefined))
  const mine = async (issuer: string) =>
    (await fetch(`${fetching.url}/api/mine`, { headers: { authorization: `Bearer ${await tokenOf({ issuer })}` } }))
      .status
  expect([await mine(expected.issuer), await mine('another')]).toEqual([200, 401])
  expect(published.seen.map(({ url }) => url)).toEqual(['/jwks.json'])
})

it('bounds the requests of an account', async () => {
  const authorization = `Bearer ${await tokenOf()}`
  const statuses: number[] = []
  for (let time = 0; time < 3; time += 1) statuses.push((await ask('/api/few', { authorization })).status)
  expect(statuses).toEqual([200, 200, 429])
  expect(await metrics()).toContain('proxy_rate_limited_total{by="account"} 1')
})

it('takes away what the table names, and hears a side that is asked for with its own key alone', async () => {
  const asked = (key: string) => ask('/api/goods', { 'banyan-side': signOverride('service', createSigner(key)) })
  monolith.seen.length = 0
  await (await asked('another key of sixteen')).text()
  expect([service.seen.length, monolith.seen.length]).toEqual([0, 1])
  await (await asked(OWN.OVERRIDE_KEY)).text()
  expect([service.seen.length, monolith.seen.length]).toEqual([1, 1])
  await (await ask('/api/goods', { 'x-tenant-id': 'forged' })).text()
  expect(monolith.seen.at(-1)!.headers).not.toHaveProperty('x-tenant-id')
})

it('answers for the hosts that the table names, and takes bodies as long as it says', async () => {
  const { port } = new URL(proxy.url)
  const other = await sendRaw(
    Number(port),
    'GET /api/goods HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
  )
  expect(other).toContain('"unknown-host"')
  const sent = (bytes: number) =>
    fetch(`${proxy.url}/elsewhere`, {
      method: 'POST',
      body: 'x'.repeat(bytes),
      headers: { 'x-forwarded-for': '10.2.1.1' },
    })
  expect([(await sent(10_241)).status, (await sent(10_240)).status]).toEqual([413, 200])
})

it('signs its cookies with its key, for TLS alone where it is told so', async () => {
  await control.query(`update banyan.contexts set phase = 'ready' where context = 'goods'`)
  const [cookie = ''] = await vi.waitFor(
    async () => {
      const cookies = (await ask('/api/goods', {}, undefined, 'POST')).headers.getSetCookie()
      expect(cookies).not.toEqual([])
      return cookies
    },
    { timeout: 10_000 },
  )
  await control.query(`update banyan.contexts set phase = 'idle' where context = 'goods'`)
  expect(cookie).toMatch(/; Secure/)
  const opened = (key: string) => createCookies(createSigner(key), { secure: true }).written(cookie, 'goods')
  expect([opened(OWN.COOKIE_KEY), opened('another key of sixteen')]).toEqual([expect.any(Number), null])
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
  for (const path of ['/api/goods', '/api/mine', '/internal']) {
    const { headers } = await ask(path, { origin })
    expect(headers.get('strict-transport-security'), path).toBe('max-age=31536000; includeSubDomains')
    expect(headers.get('access-control-allow-origin'), path).toBe(origin)
  }
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
