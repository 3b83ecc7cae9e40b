import type { IncomingMessage } from 'node:http'
import { bearerOf, Problem, type TokenVerifier } from '@banyan/kit/service'
import type { ProxyProblem } from '../problem.ts'
import type { Route } from '../routes/route.ts'
import { clientAddress } from './client-address.ts'
import type { Rate, RateLimiter } from './rate-limit.ts'

/** Whether a request may go on; what to answer where it may not. */
export type Admit = (req: IncomingMessage, route: Route | null) => Promise<ProxyProblem | null> | ProxyProblem | null

export interface AdmitOptions {
  /** Null where no keys are configured: the upstreams alone judge tokens then. */
  readonly verifier: TokenVerifier | null
  readonly limiter: RateLimiter
  /** For every request of an address, whatever its rule. */
  readonly everywhere: Rate | null
  limited(by: 'address' | 'account'): void
}

/**
 * What is asked of a request before it goes anywhere: how many its address has sent, the token that its rule requires,
 * and how many its account has sent. The address comes first, so that nobody can have signatures checked without end.
 */
export function createAdmit({ verifier, limiter, everywhere, limited }: AdmitOptions): Admit {
  const over = (by: 'address' | 'account', who: string, rate: Rate): ProxyProblem | null => {
    const waitMs = limiter.take(who, rate)
    if (waitMs === 0) return null
    limited(by)
    return { ...LIMITED, retryAfter: Math.ceil(waitMs / 1000) }
  }
  const ofAddress = (req: IncomingMessage, route: Route | null): ProxyProblem | null => {
    const own = route?.rates.address ?? null
    if (own === null && everywhere === null) return null
    const address = clientAddress(String(req.headers['x-forwarded-for']))
    if (own !== null) {
      const problem = over('address', `${route!.name} ${address}`, own)
      if (problem !== null) return problem
    }
    return everywhere === null ? null : over('address', address, everywhere)
  }
  const ofAccount = ({ name, rates: { account } }: Route, sub: string | undefined): ProxyProblem | null =>
    account === null ? null : over('account', `${name} account ${sub}`, account)
  const verified = async (route: Route, token: string, by: TokenVerifier): Promise<ProxyProblem | null> => {
    try {
      return ofAccount(route, (await by.verify(token)).sub)
    } catch (error) {
      if (error instanceof Problem) return asAnswer(error)
      throw error
    }
  }
  return (req, route) => {
    const problem = ofAddress(req, route)
    if (problem !== null) return problem
    if (verifier === null || route?.auth !== 'required') return null
    const token = bearerOf(req.headers.authorization)
    if (token === undefined) return NO_TOKEN
    const known = verifier.known(token)
    return known === undefined ? verified(route, token, verifier) : ofAccount(route, known.sub)
  }
}

function asAnswer({ status, code, detail, headers }: Problem): ProxyProblem {
  const retryAfter = headers['Retry-After']
  const challenge = headers['WWW-Authenticate']
  return {
    ...{ status, code, detail },
    ...(retryAfter === undefined ? {} : { retryAfter: Number(retryAfter) }),
    ...(challenge === undefined ? {} : { challenge }),
  }
}

/** In the words of the services, so that a client cannot tell who answered. */
const NO_TOKEN: ProxyProblem = {
  status: 401,
  code: 'authentication-required',
  detail: 'Send an access token: "Authorization: Bearer …".',
  challenge: 'Bearer',
}
const LIMITED: ProxyProblem = {
  status: 429,
  code: 'rate-limited',
  detail: 'More requests came than are accepted in this time. Nothing was done; send it again after Retry-After.',
}
