import { createHash, timingSafeEqual } from 'node:crypto'
import { Problem } from '@banyan/kit/service'
import type { RequestHandler } from 'express'

/** Lets only requests with this bearer token pass; compares in constant time. */
export function requireBearer(token: string): RequestHandler {
  const right = digest(`Bearer ${token}`)
  return (req, _res, next) => {
    if (timingSafeEqual(digest(req.get('authorization') ?? ''), right)) return next()
    throw new Problem(
      401,
      'unauthorized',
      'This needs the operators’ token: send "Authorization: Bearer <OPS_TOKEN>".',
      {
        headers: { 'WWW-Authenticate': 'Bearer' },
      },
    )
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
