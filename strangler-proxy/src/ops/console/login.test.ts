import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createApp, createHealth, createLogger, createMetrics, finishApp } from '@banyan/kit/service'
import { Router } from 'express'
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createSigner } from '../../sign.ts'
import { createAddressOf } from '../address.ts'
import type { AuditLine } from '../audit.ts'
import { createKnownBrowsers } from './known-browsers.ts'
import { addLogin } from './login.ts'
import { createLoginBrakes } from './login-brakes.ts'
import type { Operator } from './operators.ts'
import { hashSecret } from './secret.ts'
import { createSessions } from './sessions.ts'

const SECRET = 'the secret of ann'
let operators: Operator[]
beforeAll(async () => {
  operators = [
    { name: 'ann', role: 'operator', secret: await hashSecret(SECRET) },
    { name: 'ben', role: 'operator', secret: await hashSecret('the secret of ben') },
  ]
})

/** The login alone, behind proxies that say where a request is from. */
async function start(trustedHops = 1) {
  const lines: AuditLine[] = []
  const clock = { now: 0 }
  const logger = createLogger({ name: 'login under test', level: 'silent' })
  const app = createApp({ logger, health: createHealth(), metrics: createMetrics({ defaults: false }) })
  const router = Router()
  const browsers = createKnownBrowsers(createSigner('a cookie key for tests'), { secure: false })
  addLogin(router, {
    ...{ operators, browsers, logger, addressOf: createAddressOf(trustedHops) },
    now: () => clock.now,
    sessions: createSessions({ lifeMs: 60_000, secure: false }),
    audit: async (line) => void lines.push(line),
  })
  app.use('/console', router)
  const server = createServer(finishApp(app, { logger }))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/console`
  const logIn = (from: string, name: string, secret: string, headers: Record<string, string> = {}) =>
    fetch(`${url}/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': from, ...headers },
      body: JSON.stringify({ name, secret }),
    })
  return { clock, lines, logIn, url }
}

describe('a wrong login', () => {
  it('slows down the address that the proxies in front saw, and no other', async () => {
    const { logIn, lines } = await start()
    let names = 0
    const wrong = async (from: string) => (await logIn(from, `nobody ${++names}`, 'x')).status
    expect(await wrong('203.0.113.7, 198.51.100.1')).toBe(401)
    // What it says of itself before what the proxy saw changes nothing.
    expect(await wrong('203.0.113.8, 198.51.100.1')).toBe(429)
    expect(await wrong('198.51.100.2')).toBe(401)
    expect(lines.map(({ why }) => why)).toEqual(['from 198.51.100.1', 'from 198.51.100.2'])
  })

  it('slows down all of an IPv6 /64, which one client has', async () => {
    const { logIn } = await start()
    expect((await logIn('2001:db8:1:2::1', 'nobody', 'x')).status).toBe(401)
    expect((await logIn('2001:db8:1:2:3:4:5:6', 'another', 'x')).status).toBe(429)
    expect((await logIn('2001:db8:1:3::1', 'another', 'x')).status).toBe(401)
  })

  it('is of the peer where no proxy is trusted, whatever is said', async () => {
    const { logIn } = await start(0)
    expect((await logIn('198.51.100.1', 'nobody', 'x')).status).toBe(401)
    expect((await logIn('198.51.100.2', 'another', 'x')).status).toBe(429)
  })
})

describe('wrong logins under one name from many addresses', () => {
  it.each(['ann', 'nobody'])('slow down that name, be it an operator’s or not: %s', async (name) => {
    const { logIn } = await start()
    expect((await logIn('198.51.100.1', name, 'x')).status).toBe(401)
    const next = await logIn('198.51.100.2', name, 'x')
    expect([next.status, next.headers.get('retry-after')]).toEqual([429, '1'])
    expect((await logIn('198.51.100.3', 'ben', 'x')).status).toBe(401)
  })

  it('let its operator in after five seconds at most, though the browser is a new one', async () => {
    const { clock, logIn } = await start()
    for (let guess = 0; guess < 8; guess += 1) {
      expect((await logIn(`198.51.100.${guess}`, 'ann', 'x')).status).toBe(401)
      clock.now += 5_000
    }
    expect((await logIn('203.0.113.1', 'ann', SECRET)).status).toBe(200)
  })

  it('are not forgotten for as many made-up names as there is room for', async () => {
    let now = 0
    const brakes = createLoginBrakes(() => now)
    const wrong = (name: string, isOperator: boolean) => {
      const attempt = { address: name, name, isOperator, browser: null }
      const wait = brakes.begin(attempt)
      if (wait === 0) brakes.ended(attempt, false)
      return wait
    }
    wrong('ann', true)
    for (let made = 0; made <= 10_000; made += 1) wrong(`made up ${made}`, false)
    expect(brakes.begin({ address: 'a new one', name: 'ann', isOperator: true, browser: null })).toBe(500)
    now = 500
    expect(wrong('ann', true)).toBe(0)
    expect(brakes.begin({ address: 'a new one', name: 'ann', isOperator: true, browser: null })).toBe(1_000)
  })

  it('do not slow down a browser by which its operator has logged in before, nor a session', async () => {
    const { logIn, url } = await start()
    const before = await logIn('203.0.113.1', 'ann', SECRET)
    const [session = '', browser = ''] = before.headers.getSetCookie().map((one) => one.split(';')[0]!)
    expect((await logIn('203.0.113.1', 'ann', 'x')).status).toBe(401)
    expect((await logIn('203.0.113.2', 'ann', SECRET)).status).toBe(429)
    expect((await logIn('203.0.113.1', 'ann', SECRET, { cookie: browser })).status).toBe(200)
    expect((await fetch(`${url}/session`, { headers: { cookie: session } })).status).toBe(200)
  })

  it('count for the browser itself where they come from one that is known', async () => {
    const { logIn } = await start()
    const [, known = ''] = (await logIn('203.0.113.1', 'ann', SECRET)).headers.getSetCookie()
    const cookie = known.split(';')[0]!
    expect((await logIn('203.0.113.2', 'ann', 'x', { cookie })).status).toBe(401)
    expect((await logIn('203.0.113.3', 'ann', SECRET, { cookie })).status).toBe(429)
    // For another name it is a browser like any other.
    expect((await logIn('203.0.113.4', 'ben', 'x', { cookie })).status).toBe(401)
    expect((await logIn('203.0.113.5', 'ben', 'x', { cookie })).status).toBe(429)
  })
})

describe('what another site’s page sends', () => {
  const FOREIGN = { origin: 'http://evil.example' }

  it('is refused as a login, and stands in the audit, but not as often as somebody likes', async () => {
    const { logIn, lines } = await start()
    const answer = await logIn('198.51.100.1', 'ann', SECRET, FOREIGN)
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([403, 'no-proof'])
    const why = 'from 198.51.100.1, not by the console’s own page'
    expect(lines).toEqual([{ who: 'unknown', what: 'login', why, result: 'refused' }])
    for (let times = 0; times < 20; times += 1)
      expect((await logIn('198.51.100.1', 'ann', SECRET, FOREIGN)).status).toBe(403)
    expect(lines.length).toBe(10)
  })

  it('is refused as a logout, and stands in the audit by the name of the session, which goes on', async () => {
    const { logIn, lines, url } = await start()
    const [session = ''] = (await logIn('198.51.100.1', 'ann', SECRET)).headers.getSetCookie()
    const cookie = session.split(';')[0]!
    const headers = { cookie, 'x-forwarded-for': '198.51.100.2', 'sec-fetch-site': 'same-site' }
    // However many strangers were refused before.
    for (let other = 0; other < 70; other += 1) await logIn(`203.0.113.${other}`, 'ann', SECRET, FOREIGN)
    expect((await fetch(`${url}/logout`, { method: 'POST', headers })).status).toBe(403)
    const why = 'from 198.51.100.2, not by the console’s own page'
    expect(lines.at(-1)).toEqual({ who: 'ann', what: 'logout', why, result: 'refused' })
    expect((await fetch(`${url}/session`, { headers: { cookie } })).status).toBe(200)
  })

  it('slows down nobody: whoever reads that page has guessed nothing', async () => {
    const { logIn } = await start()
    expect((await logIn('198.51.100.1', 'ann', 'x', FOREIGN)).status).toBe(403)
    expect((await logIn('198.51.100.1', 'ann', SECRET)).status).toBe(200)
  })
})

it('made-up names do not fill the audit either', async () => {
  const { logIn, lines } = await start()
  const others = Array.from({ length: 60 }, (_, other) => `198.51.100.${other}`)
  for (const other of others) await logIn(other, 'ann', 'x', { origin: 'http://evil.example' })
  expect((await logIn('203.0.113.1', 'made up', 'x')).status).toBe(401)
  expect(lines.length).toBe(60)
  expect((await logIn('203.0.113.2', 'ann', 'x')).status).toBe(401)
  expect(lines.at(-1)).toMatchObject({ who: 'ann', why: 'from 203.0.113.2' })
})

describe('a browser', () => {
  const ANN = { name: 'ann', role: 'operator', secret: 'the hash' } as const
  const browsers = createKnownBrowsers(createSigner('a cookie key for tests'), { secure: true })
  const cookieOf = (setCookie: string) => setCookie.split(';')[0]!

  it('is known by a cookie that is sent to the login alone', () => {
    const setCookie = browsers.remember(ANN)
    expect(setCookie).toMatch(/; Max-Age=7776000; Path=\/console\/login; HttpOnly; SameSite=Strict; Secure$/)
    expect(browsers.of(cookieOf(setCookie), ANN)).not.toBe(null)
    expect(browsers.of(cookieOf(browsers.remember(ANN)), ANN)).not.toBe(browsers.of(cookieOf(setCookie), ANN))
  })

  it('is not known for another operator, after a change of the secret, by a forged cookie or after ninety days', () => {
    const cookie = cookieOf(browsers.remember(ANN))
    expect(browsers.of(cookie, { ...ANN, name: 'ben' })).toBe(null)
    expect(browsers.of(cookie, { ...ANN, secret: 'another hash' })).toBe(null)
    expect(browsers.of(cookie.replace(/=\d/, '=9'), ANN)).toBe(null)
    expect(browsers.of(undefined, ANN)).toBe(null)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 90 * 24 * 3600_000 })
    onTestFinished(() => void vi.useRealTimers())
    expect(browsers.of(cookie, ANN)).toBe(null)
  })
})
