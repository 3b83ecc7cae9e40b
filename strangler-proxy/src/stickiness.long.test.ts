import { expect, it } from 'vitest'
import { watchAnonymous } from '../test-support/anonymous-clients.ts'

it('no anonymous client changes its side within 1,000 requests', async () => {
  const { flips, givenAgain } = await watchAnonymous(40, 1_000)
  expect([flips, givenAgain]).toEqual([0, 0])
})

it('the share of 1,000 anonymous clients is within a point of where it began, 100 requests of each later', async () => {
  const { shares } = await watchAnonymous(1_000, 100)
  const [first = 0] = shares
  expect(shares).toHaveLength(100)
  for (const share of shares) expect(Math.abs(share - first)).toBeLessThanOrEqual(0.01)
  // Half of them, within what chance makes of a thousand: five standard deviations.
  expect(Math.abs(first - 0.5)).toBeLessThan(0.08)
})
