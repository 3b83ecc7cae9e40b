import { expect, it } from 'vitest'
import { createSessions } from './sessions.ts'

const ANN = { name: 'ann', role: 'operator', secret: '' } as const
const cookieOf = (setCookie: string) => setCookie.split(';')[0]!

it('ends with its time, whatever the browser still sends', () => {
  const ended = createSessions({ lifeMs: 0, secure: false })
  const { session, setCookie } = ended.open(ANN)
  expect([ended.of(cookieOf(setCookie)), ended.isOpen(session)]).toEqual([null, false])
  const lasting = createSessions({ lifeMs: 60_000, secure: false })
  expect(lasting.of(`other=1; ${cookieOf(lasting.open(ANN).setCookie)}`)).toMatchObject({
    name: 'ann',
    role: 'operator',
  })
})

it('has a cookie for TLS alone where it is told so, and takes it away at its end', () => {
  const sessions = createSessions({ lifeMs: 60_000, secure: true })
  const { session, setCookie } = sessions.open(ANN)
  expect(setCookie).toMatch(/; HttpOnly; SameSite=Strict; Secure$/)
  expect(sessions.end(session)).toMatch(/^banyan-console=; Max-Age=0;/)
  expect(sessions.of(cookieOf(setCookie))).toBe(null)
})

it('has a cookie for the console alone, which the shop’s door on the same host is not sent, for as long as it lasts', () => {
  const sessions = createSessions({ lifeMs: 61_900, secure: false })
  const { session, setCookie } = sessions.open(ANN)
  const attributes = '; Path=/console; HttpOnly; SameSite=Strict'
  expect(setCookie).toBe(`banyan-console=${session.id}; Max-Age=61${attributes}`)
  // A browser takes no cookie away that it knows by another path.
  expect(sessions.end(session)).toBe(`banyan-console=; Max-Age=0${attributes}`)
})

it('is never another one’s, and there are only so many of a name: its own oldest makes room', () => {
  const sessions = createSessions({ lifeMs: 60_000, secure: false })
  const others = sessions.open({ ...ANN, name: 'ben' })
  const opened = Array.from({ length: 201 }, () => sessions.open(ANN))
  expect(new Set(opened.flatMap(({ session }) => [session.id, session.csrf])).size).toBe(402)
  expect([180, 181, 200].map((index) => sessions.isOpen(opened[index]!.session))).toEqual([false, true, true])
  expect(sessions.isOpen(others.session)).toBe(true)
})
