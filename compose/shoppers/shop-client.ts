/** HTTP as a shopper's browser does it: keep-alive, cookies per person, every answer measured. */
import { performance } from 'node:perf_hooks'
import { Agent, request } from 'undici'
import type { Measure } from './measure.ts'

/** Who asks: a bearer token and the cookies that the shop has set. */
export type Session = { token?: string; cookies: Map<string, string> }

export type Answer = { status: number; body: unknown }

export type Ask = {
  action: string
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  path: string
  session: Session
  body?: object
  headers?: Record<string, string>
  /** A write, which a switch of its context may hold. */
  mayBeHeld?: boolean
  /** An order whose card the provider answers late, or only when asked again: its time is not the shop's. */
  slowOfItself?: boolean
}

export type ShopClient = {
  /** @returns nothing for a broken connection or no answer within the time limit; it is counted as failed */
  ask(ask: Ask): Promise<Answer | undefined>
  close(): Promise<void>
}

/** As patient as a browser. */
const TIME_LIMIT_MS = 30_000

export function createShopClient(baseUrl: string, measure: Measure): ShopClient {
  // Idle connections end before the server ends them, so that none is reused in the moment of its closing.
  const agent = new Agent({ connections: 200, keepAliveTimeout: 2_000, headersTimeout: TIME_LIMIT_MS })
  return {
    async ask({ action, method, path, session, body, headers = {}, mayBeHeld = false, slowOfItself = false }) {
      const started = performance.now()
      const seen = { action, startedAt: Date.now(), mayBeHeld, slowOfItself }
      const ended = mayBeHeld ? measure.begin() : undefined
      try {
        const response = await request(`${baseUrl}${path}`, {
          method,
          dispatcher: agent,
          signal: AbortSignal.timeout(TIME_LIMIT_MS),
          headers: {
            ...(body ? { 'content-type': 'application/json' } : {}),
            ...(session.token ? { authorization: `Bearer ${session.token}` } : {}),
            ...(session.cookies.size > 0 ? { cookie: cookieHeader(session.cookies) } : {}),
            ...headers,
          },
          ...(body ? { body: JSON.stringify(body) } : {}),
        })
        const text = await response.body.text()
        keepCookies(session.cookies, response.headers['set-cookie'])
        const answer = { status: response.statusCode, body: parsed(text) }
        measure.add({ ...seen, ms: performance.now() - started, status: answer.status, ...codeOf(answer) })
        return answer
      } catch {
        measure.add({ ...seen, ms: performance.now() - started, status: undefined })
        return undefined
      } finally {
        ended?.()
      }
    },
    close: () => agent.close(),
  }
}

function cookieHeader(cookies: Map<string, string>): string {
  return [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
}

function keepCookies(cookies: Map<string, string>, header: string | string[] | undefined): void {
  for (const line of [header ?? []].flat()) {
    const [pair = ''] = line.split(';', 1)
    const at = pair.indexOf('=')
    if (at <= 0) continue
    if (/;\s*max-age=0/i.test(line)) cookies.delete(pair.slice(0, at))
    else cookies.set(pair.slice(0, at), pair.slice(at + 1))
  }
}

/** Of a problem; other answers have none. */
function codeOf({ status, body }: Answer): { code?: string } {
  const { code } = status >= 400 && typeof body === 'object' ? ((body ?? {}) as { code?: unknown }) : {}
  return typeof code === 'string' ? { code } : {}
}

function parsed(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
