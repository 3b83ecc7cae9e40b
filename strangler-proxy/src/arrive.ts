import type { IncomingMessage } from 'node:http'
import type { Side } from '@banyan/kit/service'
import { type CleanOptions, cleanHeaders } from './clean-headers.ts'
import type { IsOurHost } from './gateway/hosts.ts'
import { OVERRIDE_HEADER, readOverride } from './override.ts'
import type { ProxyProblem } from './problem.ts'
import { isReserved } from './reserved.ts'
import type { MatchRoute } from './routes/match.ts'
import type { Route } from './routes/route.ts'
import type { Signer } from './sign.ts'
import { normaliseTarget } from './target.ts'

/** A request that may go on: its target in one spelling, its headers clean, its rule found. */
export interface Arrival {
  readonly path: string
  readonly route: Route | null
  readonly override: Side | null
}

export type Arrive = (req: IncomingMessage) => Arrival | ProxyProblem

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** The first steps of every request and every upgrade, in this order and on every route. */
export function createArrive(
  match: MatchRoute,
  signer: Signer,
  options: CleanOptions & { readonly isOurHost: IsOurHost },
): Arrive {
  return (req) => {
    const method = req.method ?? 'GET'
    if (!METHODS.has(method)) return refused(405, 'method-not-allowed', `The method ${method} is not spoken here.`)
    if (!options.isOurHost(req.headers.host)) return refused(400, 'unknown-host', 'No such host is served here.')
    const target = normaliseTarget(req.url ?? '/')
    if (!target.ok) return refused(400, 'bad-target', `The request target was refused: ${target.why}.`)
    req.url = target.url
    // Read before the stripping: the stripping takes the header away, signed or not.
    const asked = req.headers[OVERRIDE_HEADER]
    const unclean = cleanHeaders(req, options)
    if (unclean !== null) return refused(400, 'bad-request', `The request was refused: ${unclean}.`)
    const { path } = target
    if (isReserved(path)) return refused(404, 'not-found', `There is no ${method} ${path} here.`)
    const override = asked === undefined ? null : readOverride(asked, signer)
    return { path, route: match(method, path), override }
  }
}

function refused(status: number, code: string, detail: string): ProxyProblem {
  return { status, code, detail }
}
