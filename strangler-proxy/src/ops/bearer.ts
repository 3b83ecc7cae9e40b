import { createHash, timingSafeEqual } from 'node:crypto'
import { type Logger, Problem } from '@banyan/kit/service'
import type { RequestHandler } from 'express'
import type { AddressOf } from './address.ts'
import { createBrake, tooSoon } from './brake.ts'

const MOST_MS = 5_000

/**
 * Lets only requests with this bearer token pass; compares in constant time, and has an address that is wrong wait ever
 * longer. The right one never waits: it is too long to be guessed, and whoever shares an address with a forgotten script
 * must be able to pull the kill switch.
 */
export function requireBearer(
  token: string,
  options: { readonly addressOf: AddressOf; readonly logger: Logger; readonly now?: () => number },
): RequestHandler {
  const { addressOf, logger } = options
  const right = digest(`Bearer ${token}`)
  const brake = createBrake({ mostMs: MOST_MS, now: options.now })
  return (req, _res, next) => {
    const given = req.get('authorization')
    // Who shows none has guessed nothing.
    if (given === undefined) throw unauthorized()
    if (timingSafeEqual(digest(given), right)) return next()
    const address = addressOf(req)
    const waitMs = brake.begin(address)
    if (waitMs > 0) {
      logger.warn({ address, waitMs: Math.round(waitMs) }, 'an operators’ token came too soon after a wrong one')
      throw tooSoon('After a wrong token the next one waits', waitMs)
    }
    brake.ended(address, false)
    logger.warn({ address }, 'a wrong token at the operators’ listener')
    throw unauthorized()
  }
}

function unauthorized(): Problem {
  return new Problem(
    401,
    'unauthorized',
    'This needs the operators’ token: send "Authorization: Bearer <OPS_TOKEN>".',
    {
      headers: { 'WWW-Authenticate': 'Bearer' },
    },
  )
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
