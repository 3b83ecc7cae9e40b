/** Accounts and sessions. */
import { z } from 'zod'
import type { Person } from './people.ts'
import type { Answer, ShopClient } from './shop-client.ts'

const session = z.object({ accessToken: z.string(), refreshToken: z.string(), expiresIn: z.number() })

/** @returns whether the account exists now */
export async function register(client: ShopClient, person: Person): Promise<boolean> {
  const body = { email: person.email, password: person.password, name: 'A Shopper' }
  const ask = {
    action: 'register',
    method: 'POST',
    path: '/api/users',
    session: person.session,
    body,
    mayBeHeld: true,
  } as const
  const answer = await client.ask(ask)
  // 409: an earlier attempt had arrived although its answer got lost.
  return answer?.status === 201 || answer?.status === 409
}

/** Logs in, or renews the session where there is one. @returns whether the person has a valid token now */
export async function logIn(client: ShopClient, person: Person): Promise<boolean> {
  const { email, password, refreshToken } = person
  delete person.session.token
  delete person.refreshToken
  const ask = { action: 'login', method: 'POST', session: person.session, mayBeHeld: true } as const
  const answer = refreshToken
    ? await client.ask({ ...ask, path: '/api/sessions/refresh', body: { refreshToken } })
    : await client.ask({ ...ask, path: '/api/sessions', body: { email, password } })
  return remember(person, answer)
}

function remember(person: Person, answer: Answer | undefined): boolean {
  const known = session.safeParse(answer?.body)
  if (!answer || answer.status >= 300 || !known.success) return false
  person.session.token = known.data.accessToken
  person.refreshToken = known.data.refreshToken
  // Renewed well before its end, so that nobody is refused for a token that ran out on its way.
  person.loggedInUntil = Date.now() + Math.min(known.data.expiresIn * 1000 - 60_000, 5 * 60_000)
  return true
}
