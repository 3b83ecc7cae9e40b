import { timingSafeEqual } from 'node:crypto'
import { Problem } from '@banyan/kit/service'
import type { Request, RequestHandler, Response } from 'express'
import type { AuditLine } from '../audit.ts'
import type { Session, Sessions } from './sessions.ts'

/** Lets only who is logged in pass, and notes who that is. */
export function requireSession(sessions: Sessions): RequestHandler {
  return (req, res, next) => {
    const session = sessions.of(req.get('cookie'))
    if (session === null) throw new Problem(401, 'no-session', 'Log in at the console first, or again.')
    res.locals.session = session
    next()
  }
}

/** The session that `requireSession` has noted. */
export function sessionOf(res: Response): Session {
  return res.locals.session as Session
}

/**
 * Lets only an operator's own page change something: the request shows what no other site can read, and the session's
 * role allows it. Whoever is refused stands in the audit.
 */
export function requireOperator(audit: (line: AuditLine) => Promise<void>): RequestHandler {
  return (req, res, next) => {
    const { name, role, csrf } = sessionOf(res)
    const refused = !showsProof(req, csrf) ? WITHOUT_PROOF : role !== 'operator' ? WITHOUT_ROLE : null
    if (refused === null) return next()
    const context = /^[\w-]{1,64}$/.exec(String(req.params.context ?? ''))?.[0] ?? null
    const what = `console: ${req.path.split('/').at(-1)?.slice(0, 64)}`
    // It is refused whether or not that can be written down.
    void audit({ who: name, what, context, why: refused.message, result: 'refused' })
    throw refused
  }
}

const WITHOUT_PROOF = new Problem(
  403,
  'no-proof',
  'This request does not show that the console’s own page has sent it. Load the page again.',
)
const WITHOUT_ROLE = new Problem(403, 'not-an-operator', 'You are logged in as a viewer, who changes nothing.')

/** Whether a page of another origin could have sent this: browsers say where a request comes from, and cannot be asked not to. */
export function isSameOrigin(req: Request): boolean {
  const site = req.get('sec-fetch-site')
  if (site !== undefined && site !== 'same-origin') return false
  const origin = req.get('origin')
  return origin === undefined || URL.parse(origin)?.host === req.get('host')
}

function showsProof(req: Request, csrf: string): boolean {
  const given = Buffer.from(req.get('x-csrf-token') ?? '')
  const right = Buffer.from(csrf)
  return isSameOrigin(req) && given.length === right.length && timingSafeEqual(given, right)
}
