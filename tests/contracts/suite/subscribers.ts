import { randomInt } from 'node:crypto'
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

/** @returns numbers that no order has or gets, others at each call: the suite may run on one shop again and again */
export function ordersOfNobody() {
  const first = 2 ** 40 + randomInt(2 ** 47)
  return [first, first + 1, first + 2, first + 3, first + 4, first + 5] as const
}
