/** People who sign in, stay signed in, come back and buy, all through the proxy and without a break. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import type { System } from './system.ts'

export type Session = { accessToken: string; refreshToken: string; user: { id: number } }
export type Account = { email: string; password: string }
type Answer = { status: number; body: Record<string, unknown> }

/** One browser: it keeps the proxy's cookies, so that it reads what it has written. */
export type Browser = (
  method: string,
  path: string,
  more?: { token?: string; body?: object; headers?: Record<string, string> },
) => Promise<Answer>

export type People = {
  /** Whatever was not answered with success, one line each. */
  failures: string[]
  counts: Record<'sign-in' | 'refresh' | 'order', number>
  /** Lets everybody end what they do. @returns the sessions that are open then */
  stop(): Promise<Session[]>
}

/** Longer than any hold of the proxy. */
const PATIENCE_MS = 20_000

export function newBrowser(baseUrl: string): Browser {
  const cookies = new Map<string, string>()
  return async (method, path, { token, body, headers } = {}) => {
    const answer = await request(baseUrl + path, {
      method: method as 'GET',
      headers: {
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(cookies.size > 0 ? { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') } : {}),
        ...headers,
      },
      signal: AbortSignal.timeout(PATIENCE_MS),
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    for (const line of [answer.headers['set-cookie'] ?? []].flat()) {
      const [name = '', value = ''] = (line.split(';')[0] ?? '').split('=', 2)
      cookies.set(name, value)
    }
    const text = await answer.body.text()
    return { status: answer.statusCode, body: text ? JSON.parse(text) : {} }
  }
}

/** @throws unless the answer is one of success */
export async function succeed<T>(what: string, answer: Promise<Answer>): Promise<T> {
  const { status, body } = await answer
  if (status >= 300) throw new Error(`${what}: ${status} ${JSON.stringify(body).slice(0, 300)}`)
  return body as T
}

export async function register(browser: Browser): Promise<Account> {
  const account = { email: `${randomUUID()}@people.test`, password: 'a person of the test' }
  await succeed('register', browser('POST', '/api/users', { body: { ...account, name: 'Person' } }))
  return account
}
export const signIn = (browser: Browser, body: Account): Promise<Session> =>
  succeed('sign-in', browser('POST', '/api/sessions', { body }))
export const refresh = (browser: Browser, { refreshToken }: Session): Promise<Session> =>
  succeed('refresh', browser('POST', '/api/sessions/refresh', { body: { refreshToken } }))

/** Half of them stay signed in, a quarter sign in again and again, a quarter registers and buys at once. */
export function startPeople({ stack }: System, count: number): People {
  const closing = new AbortController()
  const failures: string[] = []
  const counts = { 'sign-in': 0, refresh: 0, order: 0 }
  const open: Session[] = []
  const { PROXY_URL = '' } = stack.env

  async function person(act: (browser: Browser) => Promise<() => Promise<void>>): Promise<void> {
    const browser = newBrowser(PROXY_URL)
    try {
      const once = await act(browser)
      while (!closing.signal.aborted) {
        await once()
        await sleep(10)
      }
    } catch (error) {
      failures.push((error as Error).message)
    }
  }
  const staying = async (browser: Browser) => {
    let session = await signIn(browser, await register(browser))
    const at = open.push(session) - 1
    return async () => {
      session = await refresh(browser, session)
      open[at] = session
      counts.refresh++
      await succeed('me', browser('GET', '/api/users/me', { token: session.accessToken }))
    }
  }
  const comingBack = async (browser: Browser) => {
    const account = await register(browser)
    return async () => {
      await signIn(browser, account)
      counts['sign-in']++
    }
  }
  const buying = async (browser: Browser) => async () => {
    const { accessToken: token } = await signIn(browser, await register(browser))
    const body = {
      items: [{ productId: 1 + (counts.order % 500), quantity: 1 }],
      paymentToken: 'tok_visa',
      shippingAddress: { name: 'P', line1: 'Main 1', postalCode: '10115', city: 'Berlin', country: 'DE' },
    }
    await succeed(
      'order',
      browser('POST', '/api/orders', { token, body, headers: { 'idempotency-key': randomUUID() } }),
    )
    counts.order++
  }
  const kinds = [staying, comingBack, staying, buying]
  const loops = Array.from({ length: count }, (_, index) => person(kinds[index % kinds.length] ?? staying))
  return {
    failures,
    counts,
    async stop() {
      closing.abort()
      await Promise.all(loops)
      return open
    },
  }
}
