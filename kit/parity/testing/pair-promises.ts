/** What is promised of the pair of apps, seed by seed. */
import { expect } from 'vitest'
import { BUGS, type Bug } from './pair-app.ts'
import { compareApps, fiveBugs, isRandom, SHOWS } from './pair-walks.ts'

/** @returns which of all the planted bugs were not found within 1,000 requests */
export async function bugsMissed(seed: number): Promise<Bug[]> {
  const { real, requests } = await compareApps(seed, new Set(BUGS))
  expect(requests).toBeLessThanOrEqual(1_000)
  expect(real.filter(isRandom)).toEqual([])
  return BUGS.filter((bug) => !real.some(SHOWS[bug]))
}

export async function expectNothingFoundWhereNothingIs(seed: number): Promise<void> {
  const { real, noise, doubtful } = await compareApps(seed, new Set())
  expect([...real, ...doubtful]).toEqual([])
  expect(noise.length).toBeGreaterThan(5)
}

/** Five bugs in 500 requests of each side, each with a bound of its noise; and nothing random. */
export async function expectFiveFound(seed: number): Promise<void> {
  const planted = fiveBugs(seed)
  const { real, requests } = await compareApps(seed, new Set(planted), 14)
  expect(planted.filter((bug) => !real.some(SHOWS[bug]))).toEqual([])
  expect(real.filter(isRandom)).toEqual([])
  // The left, its twin and the right are asked the same.
  expect(requests / 3).toBeLessThanOrEqual(500)
  for (const { noiseAtMost } of real) expect(noiseAtMost).toBeLessThan(0.5)
}
