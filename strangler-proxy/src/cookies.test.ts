import { describe, expect, it } from 'vitest'
import { createCookies, readCookie, WRITTEN_MARGIN_MS } from './cookies.ts'
import { readOverride, signOverride } from './override.ts'
import { createSigner } from './sign.ts'

const signer = createSigner('key one of the tests')
const other = createSigner('key two of the tests')
const cookies = createCookies(signer, { secure: true })
const pair = (setCookie: string) => setCookie.split(';')[0]!

describe('cookies', () => {
  it('a session is ours only with our signature', () => {
    const { id, setCookie } = cookies.newSession()
    expect(cookies.session(`a=b; ${pair(setCookie)}; c=d`)).toBe(id)
    expect(cookies.session(pair(setCookie).replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')))).toBeNull()
    expect(cookies.session(pair(createCookies(other, { secure: true }).newSession().setCookie))).toBeNull()
    expect(cookies.session(`banyan-session=${id}`)).toBeNull()
    expect(cookies.session(undefined)).toBeNull()
    expect(setCookie).toMatch(/; Path=\/; HttpOnly; SameSite=Lax; Secure$/)
  })

  it('a write is remembered per context, a margin later, and for no other context', () => {
    const header = pair(cookies.setWritten('goods', 1_000.2))
    expect(cookies.written(header, 'goods')).toBe(1_050 + WRITTEN_MARGIN_MS)
    expect(cookies.written(header.replace('goods', 'orders'), 'orders')).toBeNull()
    expect(cookies.written('banyan-written-goods=99999999999999.x', 'goods')).toBeNull()
  })

  it('go over plain HTTP where there is no TLS', () => {
    const plain = createCookies(signer, { secure: false })
    for (const setCookie of [plain.newSession().setCookie, plain.setWritten('goods', 1)])
      expect(setCookie).toMatch(/; Path=\/; HttpOnly; SameSite=Lax$/)
  })

  it('remember a write for 250 ms beyond its time, for clocks are read and rows become visible a little apart', () => {
    expect(WRITTEN_MARGIN_MS).toBe(250)
  })

  it('a session lasts a year, and a write is remembered for an hour at most', () => {
    expect(cookies.newSession().setCookie).toContain('; Max-Age=31536000; Path=/')
    expect(cookies.setWritten('goods', 1)).toContain('; Max-Age=3600; Path=/')
  })

  it('reads the cookie with the very name', () => {
    expect(readCookie('xbanyan=1;banyan=2; banyan=3', 'banyan')).toBe('2')
    expect(readCookie('banyan-a=1', 'banyan')).toBeNull()
    expect(readCookie('', 'banyan')).toBeNull()
  })
})

describe('the override', () => {
  it('needs our signature for that very side', () => {
    const header = signOverride('service', signer)
    expect(header).toMatch(/^service; [\w-]{43}$/)
    expect(readOverride(header, signer)).toBe('service')
    expect(readOverride(header, other)).toBeNull()
    expect(readOverride(header.replace('service', 'monolith'), signer)).toBeNull()
    expect(readOverride('service', signer)).toBeNull()
    expect(readOverride(`${header}; more`, signer)).toBeNull()
    // There is no such side, whoever has signed for it.
    expect(readOverride(signer.sign('override', 'nobody').replace('.', '; '), signer)).toBeNull()
  })

  it('a signature made for a cookie is worthless as an override', () => {
    const cookie = pair(cookies.newSession().setCookie).split('.')[1]!
    expect(readOverride(`service; ${cookie}`, signer)).toBeNull()
  })
})
