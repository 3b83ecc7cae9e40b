import type { TellSample } from '../samples.ts'
import type { World } from '../suite.ts'

/** What the suites of services need that only listen: somebody who tells of events, and whom they are about. */
export function tellingIn({ tell, customerToken }: World): { tell: TellSample; userId: number } {
  if (!tell) throw new Error('this part of the contract needs `tell`')
  return { tell, userId: userOf(customerToken) }
}

/** @returns the user that an access token speaks of */
export function userOf(token: string): number {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { sub: string }
  return Number(claims.sub)
}
