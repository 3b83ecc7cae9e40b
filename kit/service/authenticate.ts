/** Who asks: puts `req.user` there, and the two guards that look at it. */
import type { RequestHandler } from 'express'
import { decodeProtectedHeader } from 'jose'
import { Problem } from './problem.ts'
import type { TokenVerifier } from './tokens.ts'

/** The header `typ` of tokens between services. */
export const INTERNAL_TYP = 'internal+jwt'

export type User = { readonly id: string; readonly role: string }

declare global {
  namespace Express {
    interface Request {
      user?: User
      /** The service that called an internal route. */
      caller?: string
    }
  }
}

/**
 * Sets `req.user` from `Authorization: Bearer`. Without the header the request goes on as anonymous; with a bad token it
 * ends in 401, since a client that sends one means it. A service's token makes no user: `requireInternal` judges it.
 */
export function authenticate(verifier: TokenVerifier): RequestHandler {
  return async (req, _res, next) => {
    const token = bearerOf(req.headers.authorization)
    if (token) {
      const claims = await verifier.verify(token).catch((error: unknown) => {
        if (isInternal(token)) return undefined
        throw error
      })
      if (claims) req.user = { id: claims.sub ?? '', role: typeof claims.role === 'string' ? claims.role : '' }
    }
    next()
  }
}

/** @throws Problem 401 `authentication-required` for anonymous requests. */
export const requireUser: RequestHandler = (req, _res, next) => {
  if (!req.user) throw unauthenticated()
  next()
}

/** @returns A guard: 401 for anonymous requests, 403 `forbidden` for users with another role. */
export function requireRole(role: string): RequestHandler {
  return (req, _res, next) => {
    if (!req.user) throw unauthenticated()
    if (req.user.role !== role) throw new Problem(403, 'forbidden', `This needs the role "${role}".`)
    next()
  }
}

/** @returns The token of an `Authorization: Bearer …` header. */
export function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(header ?? '')?.[1]
}

function isInternal(token: string): boolean {
  try {
    return decodeProtectedHeader(token).typ === INTERNAL_TYP
  } catch {
    return false
  }
}

function unauthenticated(): Problem {
  return new Problem(401, 'authentication-required', 'Send an access token: "Authorization: Bearer …".', {
    headers: { 'WWW-Authenticate': 'Bearer' },
  })
}
