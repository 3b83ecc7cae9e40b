import { expect, it } from 'vitest'
import { watchAnonymous } from '../test-support/anonymous-clients.ts'

it('an anonymous client that keeps its cookie stays on its side, request after request, and so does the share', async () => {
  const { flips, givenAgain, shares } = await watchAnonymous(40, 25)
  expect([flips, givenAgain]).toEqual([0, 0])
  // Half of them, within what chance makes of forty: five standard deviations.
  for (const share of shares) expect(Math.abs(share - 0.5)).toBeLessThan(0.4)
}, 120_000)
