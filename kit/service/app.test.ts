import { exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  authenticate,
  createApp,
  createInternalSigner,
  createLogger,
  createMetrics,
  createTokenSigner,
  createTokenVerifier,
  currentContext,
  finishApp,
  publicJwks,
  requireInternal,
  requireRole,
  requireUser,
  type Served,
  serve,
} from './index.ts'

const lines: string[] = []
const logger = createLogger({ name: 'test', destination: { write: (line) => void lines.push(line) } })
const user = { issuer: 'shop', audience: 'shop', typ: 'at+jwt' }
let served: Served
let ordersKey: Awaited<ReturnType<typeof newKey>>
let token: (role: string) => Promise<string>
let signAs: (name: string) => ReturnType<typeof createInternalSigner>

async function newKey(kid: string) {
  return { ...(await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey)), kid }
}

beforeAll(async () => {
  const [userKey, orders, payments] = [await newKey('users'), await newKey('orders'), await newKey('payments')]
  ordersKey = orders
  const signer = createTokenSigner({ ...user, privateJwk: userKey, ttlSeconds: 60 })
  token = (role) => signer.sign({ sub: '7', role })
  signAs = (name) => createInternalSigner({ privateJwk: name === 'payments' ? payments : orders, name })

  const app = createApp({ logger, metrics: createMetrics({ defaults: false }) })
  app.use(authenticate(createTokenVerifier({ ...user, jwks: publicJwks({ keys: [userKey] }) })))
  app.get('/me', requireUser, (req, res) => {
    res.json(req.user)
  })
  app.get('/admin', requireRole('admin'), (_req, res) => {
    res.json({ ok: true })
  })
  const jwks = publicJwks({ keys: [orders, payments] })
  app.get('/internal/x', requireInternal({ jwks, audience: 'inventory' }), (req, res) => {
    res.json({ caller: req.caller })
  })
  app.post('/things/:id', (req, res) => {
    res.json(z.object({ name: z.string() }).parse(req.body))
  })
  app.get('/context', (_req, res) => {
    res.json(currentContext())
  })
  app.get('/broken', () => {
    throw new Error('postgres://user:hush@db/x refused')
  })
  finishApp(app, { logger, side: 'monolith' })
  served = await serve({ app, host: '127.0.0.1', port: 0, logger, graceMs: 500, ownProcess: false })
})
afterAll(() => served.close())

async function ask(path: string, init: RequestInit = {}) {
  const response = await fetch(`${served.url}${path}`, init)
  const text = await response.text()
  const json = response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text
  return { status: response.status, headers: response.headers, json }
}
const bearer = (value: string) => ({ headers: { authorization: `Bearer ${value}` } })
const post = (body: string) => ({ method: 'POST', body, headers: { 'content-type': 'application/json' } })

describe('an app', () => {
  it('answers every fault of the request as problem details with a stable code', async () => {
    const cases: [string, RequestInit, number, string][] = [
      ['/nowhere', {}, 404, 'not-found'],
      ['/things/1', post('{"name":'), 400, 'malformed-json'],
      ['/things/1', post('{"name":1}'), 422, 'invalid-request'],
      ['/things/1', post(JSON.stringify({ name: 'x'.repeat(110_000) })), 413, 'body-too-large'],
      ['/things/%E0%A4%A', post('{}'), 400, 'malformed-request'],
      ['/me', {}, 401, 'authentication-required'],
      ['/me', bearer('garbage'), 401, 'invalid-token'],
      ['/admin', bearer(await token('customer')), 403, 'forbidden'],
      ['/internal/x', {}, 401, 'internal-token-required'],
      ['/broken', {}, 500, 'internal-error'],
    ]
    for (const [path, init, status, code] of cases) {
      const answer = await ask(path, init)
      expect(answer.headers.get('content-type')).toContain('application/problem+json')
      expect(answer.json).toMatchObject({ status, code, type: `urn:banyan:problem:${code}`, instance: path })
      expect(answer.status).toBe(status)
      expect(JSON.stringify(answer.json)).not.toMatch(/hush|node_modules|\.ts/)
    }
  })

  it('lets in who shows a token', async () => {
    expect((await ask('/me', bearer(await token('customer')))).json).toEqual({ id: '7', role: 'customer' })
    expect((await ask('/admin', bearer(await token('admin')))).status).toBe(200)
  })

  it('lets services in on internal routes, by their own key and for this audience only', async () => {
    expect((await ask('/internal/x', bearer(await signAs('orders').sign('inventory')))).json).toEqual({
      caller: 'orders',
    })
    const refused = [
      await signAs('orders').sign('payments'), // for somebody else
      await signAs('nobody').sign('inventory'), // unknown name
      await token('admin'), // a user, however mighty
    ]
    for (const value of refused) expect((await ask('/internal/x', bearer(value))).status).toBe(401)
  })

  it('a service cannot speak for another, although its key is known', async () => {
    // "orders" signs with its own key and kid, but claims to be payments.
    const own = createTokenSigner({
      issuer: 'payments',
      audience: 'inventory',
      typ: 'internal+jwt',
      ttlSeconds: 60,
      privateJwk: ordersKey,
    })
    expect((await ask('/internal/x', bearer(await own.sign({ sub: 'payments' })))).status).toBe(401)
  })

  it('a service is not let in by a token that never ends', async () => {
    const endless = new SignJWT({ sub: 'orders' })
      .setProtectedHeader({ alg: 'ES256', typ: 'internal+jwt', kid: 'orders' })
      .setIssuer('orders')
      .setAudience('inventory')
    const key = await importJWK(ordersKey, 'ES256')
    expect((await ask('/internal/x', bearer(await endless.sign(key)))).status).toBe(401)
    expect((await ask('/internal/x', bearer(await endless.setExpirationTime('1m').sign(key)))).status).toBe(200)
  })

  it('carries a request id and a trace, and takes over only harmless ones', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const taken = await ask('/context', { headers: { traceparent, 'x-request-id': 'r-1' } })
    expect(taken.json).toEqual({ requestId: 'r-1', traceparent })
    const fresh = await ask('/context', {
      headers: { traceparent: `00-${'0'.repeat(32)}-x`, 'x-request-id': '<script>' },
    })
    expect(fresh.json.requestId).not.toContain('script')
    expect(fresh.json.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
    expect(fresh.headers.get('x-request-id')).toBe(fresh.json.requestId)
  })

  it('counts requests by route pattern, never by path', async () => {
    await ask('/things/4711', post('{"name":"x"}'))
    const { json } = await ask('/metrics')
    expect(json).toContain('http_request_duration_seconds_count{method="POST",route="/things/:id",status="200"}')
    expect(json).not.toContain('4711')
  })

  it('logs without tokens, passwords in URLs or query strings', async () => {
    const value = await token('customer')
    await ask('/me?secret=hush', bearer(value))
    await ask('/broken')
    logger.info({ password: 'hush', user: { accessToken: 'hush' }, req: { headers: { authorization: 'hush' } } }, 'x')
    const all = lines.join('')
    expect(all).toContain('"path":"/me"')
    expect(all).toContain('postgres://***@db/x')
    expect(all).not.toContain('hush')
    expect(all).not.toContain(value)
  })
})
