import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { until } from '../../../test-support/raw.ts'
import { codeOf, SECRETS, startConsole, type TestConsole } from './testing/console.ts'

let house: TestConsole
beforeAll(async () => {
  house = await startConsole()
})
afterAll(() => house.close())

describe('the login', () => {
  it('gives a session in a cookie that no script and no other site can use, and ends it', async () => {
    const answer = await house.logIn('ann', SECRETS.ann)
    expect(await answer.json()).toMatchObject({ name: 'ann', role: 'operator' })
    const [cookie = ''] = answer.headers.getSetCookie()
    expect(cookie).toMatch(/^banyan-console=[\w-]{43}; Max-Age=60; Path=\/console; HttpOnly; SameSite=Strict$/)
    await house.auditSays('login', 'done')
    const header = { cookie: cookie.split(';')[0]! }
    const who = () => fetch(`${house.url}/console/session`, { headers: header })
    expect((await who()).status).toBe(200)
    const elsewhere = await house.logOut(header, { origin: 'http://evil.example' })
    expect(await codeOf(elsewhere)).toEqual([403, 'no-proof'])
    expect((await house.logOut(header)).status).toBe(204)
    expect(await codeOf(await who())).toEqual([401, 'no-session'])
    expect((await fetch(`${house.url}/console/session`, { headers: { cookie: 'banyan-console=forged' } })).status).toBe(
      401,
    )
  })

  it('of a wrong secret or name is refused alike, logged, and slowed down for the right one too', async () => {
    expect(await codeOf(await house.logIn('ann', 'a wrong secret'))).toEqual([401, 'wrong-login'])
    const early = await house.logIn('ann', SECRETS.ann)
    expect(early.headers.get('retry-after')).toBe('1')
    expect(await codeOf(early)).toEqual([429, 'too-soon'])
    expect(house.logged).toContainEqual({ address: expect.stringContaining('127.0.0.1'), who: 'ann' })
    expect(house.logged).toContainEqual({ address: expect.any(String), who: 'ann', waitMs: expect.any(Number) })
    await house.auditSays('login', 'refused')
    expect(await house.auditOf('login')).toMatchObject({ who: 'ann', why: expect.stringMatching(/^from .*127/) })
    await until('the wait is over', async () => (await house.logIn('a secret typed as a name', 'x')).status === 401)
    expect(JSON.stringify(house.logged)).not.toContain('typed as a name')
    await house.auditSays('login', 'refused')
    expect(await house.auditOf('login')).toMatchObject({ who: 'unknown' })
    await until('the right one comes in', async () => (await house.logIn('ann', SECRETS.ann)).status === 200)
  })

  it('is nobody’s where no operators are configured, and says what is missing', async () => {
    const closed = await startConsole({ operators: [] })
    onTestFinished(() => closed.close())
    expect(await (await closed.logIn('ann', SECRETS.ann)).json()).toMatchObject({
      ...{ status: 409, code: 'no-operators' },
      detail: expect.stringContaining('CONSOLE_OPERATORS'),
    })
  })

  it('is not taken from another site', async () => {
    for (const headers of [{ origin: 'http://evil.example' }, { 'sec-fetch-site': 'cross-site' }])
      expect(await codeOf(await house.logIn('ann', SECRETS.ann, headers as never))).toEqual([403, 'no-proof'])
  })
})

describe('the page', () => {
  it('runs nothing but its own files, and shows nobody anything before the login', async () => {
    const answer = await fetch(house.url)
    expect(answer.url).toBe(`${house.url}/console/`)
    expect(answer.headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    )
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
    // Files of another version would not go together; what is secret is kept nowhere at all.
    expect(answer.headers.get('cache-control')).toBe('no-cache')
    const { cookie } = await house.sessionOf('ann')
    for (const path of ['session', 'audit']) {
      const secret = await fetch(`${house.url}/console/${path}`, { headers: { cookie } })
      expect([secret.status, secret.headers.get('cache-control')], path).toEqual([200, 'no-store'])
    }
    const html = await answer.text()
    expect(html).not.toMatch(/<script(?![^>]*src=)|\son\w+=|style=|https?:/)
    for (const [, file] of html.matchAll(/(?:src|href)="([\w.-]+)"/g))
      expect((await fetch(`${house.url}/console/${file}`)).status, file).toBe(200)
    expect((await fetch(`${house.url}/console/..%2fpackage.json`)).status).not.toBe(200)
  })
})
