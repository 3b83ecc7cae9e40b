import type { IncomingMessage } from 'node:http'
import { bearerOf, type Side, type TokenVerifier } from '@banyan/kit/service'
import type { Cookies } from './cookies.ts'
import type { Facts } from './decide.ts'
import type { Route } from './routes/route.ts'

/** Facts of a request, and the session cookie its answer has to set if it got a new session for them. */
export interface Gathered {
  readonly facts: Facts
  readonly setCookie: string | null
}

export type GatherFacts = (req: IncomingMessage, route: Route, override: Side | null) => Promise<Gathered>

/**
 * Looks at what a split read is decided by: cookies and token. Who has no valid token is anonymous here (the upstream
 * answers 401) and is told apart by a session of the proxy's own, made at the first read that needs one.
 */
export function createFacts(cookies: Cookies, verifier: TokenVerifier | null): GatherFacts {
  return async (req, route, override) => {
    const header = req.headers.cookie
    const writtenUntil = cookies.written(header, route.context)
    const userId = verifier === null ? undefined : await userOf(req.headers.authorization, verifier)
    if (userId !== undefined) {
      return { facts: { override, writtenUntil, userId, sessionId: undefined }, setCookie: null }
    }
    const session = cookies.session(header)
    if (session !== null || route.auth === 'required') {
      return { facts: { override, writtenUntil, userId, sessionId: session ?? undefined }, setCookie: null }
    }
    const { id, setCookie } = cookies.newSession()
    return { facts: { override, writtenUntil, userId, sessionId: id }, setCookie }
  }
}

async function userOf(authorization: string | undefined, verifier: TokenVerifier): Promise<string | undefined> {
  // Read as the services read it: who is somebody to them must not be a stranger here.
  const token = bearerOf(authorization)
  if (token === undefined) return undefined
  try {
    return (await verifier.verify(token)).sub
  } catch {
    return undefined
  }
}
