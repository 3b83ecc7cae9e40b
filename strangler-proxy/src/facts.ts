import type { IncomingMessage } from 'node:http'
import { bearerOf, Problem, type Side, type TokenVerifier } from '@banyan/kit/service'
import type { Cookies } from './cookies.ts'
import type { Facts } from './decide.ts'
import type { Route } from './routes/route.ts'

/** Facts of a request, and the session cookie its answer has to set if it got a new session for them. */
export interface Gathered {
  readonly facts: Facts
  readonly setCookie: string | null
}

export type GatherFacts = (req: IncomingMessage, route: Route, override: Side | null) => Promise<Gathered> | Gathered

/**
 * Looks at what a split read is decided by: cookies and token. Who has no valid token is anonymous here (the upstream
 * answers 401) and is told apart by a session of the proxy's own, made at the first read that needs one. Whose token
 * cannot be checked, because the keys are away, is neither somebody nor nobody.
 */
export function createFacts(cookies: Cookies, verifier: TokenVerifier | null): GatherFacts {
  const factsOf = (req: IncomingMessage, route: Route, override: Side | null, userId: string | undefined): Gathered => {
    const header = req.headers.cookie
    const writtenUntil = cookies.written(header, route.context)
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
  const unchecked = ({ headers: { cookie } }: IncomingMessage, { context }: Route, override: Side | null): Gathered => {
    const [writtenUntil, sessionId] = [cookies.written(cookie, context), cookies.session(cookie) ?? undefined]
    return { facts: { override, writtenUntil, userId: undefined, sessionId, isUnchecked: true }, setCookie: null }
  }
  return (req, route, override) => {
    // Read as the services read it: who is somebody to them must not be a stranger here.
    const token = verifier === null ? undefined : bearerOf(req.headers.authorization)
    if (verifier === null || token === undefined) return factsOf(req, route, override, undefined)
    const known = verifier.known(token)
    if (known !== undefined) return factsOf(req, route, override, known.sub)
    return verifier.verify(token).then(
      ({ sub }) => factsOf(req, route, override, sub),
      (error) => (isInvalid(error) ? factsOf(req, route, override, undefined) : unchecked(req, route, override)),
    )
  }
}

function isInvalid(error: unknown): boolean {
  return error instanceof Problem && error.status === 401
}
