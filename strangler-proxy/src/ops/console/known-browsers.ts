import { randomBytes } from 'node:crypto'
import { readCookie } from '../../cookies.ts'
import type { Signer } from '../../sign.ts'
import type { Operator } from './operators.ts'

/** By which browsers an operator has logged in before. They know it themselves, so a proxy that restarts does too. */
export type KnownBrowsers = {
  /** Which browser sent this Cookie header, if it is one of this operator's, or null. */
  of(cookieHeader: string | undefined, operator: Operator): string | null
  /** @returns the Set-Cookie header by which it is known from now on */
  remember(operator: Operator): string
}

const COOKIE = 'banyan-console-browser'
const LIFE_SECONDS = 90 * 24 * 3600

export function createKnownBrowsers(signer: Signer, options: { readonly secure: boolean }): KnownBrowsers {
  const attributes = `; Path=/console/login; HttpOnly; SameSite=Strict${options.secure ? '; Secure' : ''}`
  // Whoever knew a secret that is another one by now is a stranger again.
  const purposeOf = ({ name, secret }: Operator) => `${COOKIE}\n${name}\n${secret}`
  return {
    of(cookieHeader, operator) {
      const value = readCookie(cookieHeader, COOKIE)
      const text = value === null ? null : signer.open(purposeOf(operator), value)
      return text !== null && Date.now() < Number(text.split('-')[0]) ? text : null
    },
    remember(operator) {
      const until = Date.now() + LIFE_SECONDS * 1000
      const text = `${until}-${randomBytes(16).toString('base64url')}`
      return `${COOKIE}=${signer.sign(purposeOf(operator), text)}; Max-Age=${LIFE_SECONDS}${attributes}`
    },
  }
}
