import { describe, expect, it } from 'vitest'
import { BUGS } from './testing/pair-app.ts'
import { bugsMissed, expectFiveFound, expectNothingFoundWhereNothingIs } from './testing/pair-promises.ts'
import { compareApps, SHOWS } from './testing/pair-walks.ts'

const SEEDS = Array.from({ length: 20 }, (_, index) => index + 1)

describe('the pair of apps with five random fields', () => {
  it('finds all twelve planted bugs, in at least 19 of 20 seeds and within 1,000 requests', async () => {
    const missed: string[] = []
    for (const seed of SEEDS) {
      const lost = await bugsMissed(seed)
      if (lost.length > 0) missed.push(`seed ${seed}: ${lost.join(', ')}`)
    }
    expect(missed.length, missed.join('\n')).toBeLessThanOrEqual(1)
  }, 300_000)

  it('reports nothing where nothing is planted, in all 20 seeds', async () => {
    for (const seed of SEEDS) await expectNothingFoundWhereNothingIs(seed)
  }, 300_000)

  it('finds each bug planted alone', async () => {
    for (const bug of BUGS) {
      const { real } = await compareApps(7, new Set([bug]))
      expect(real.some(SHOWS[bug]), bug).toBe(true)
    }
  }, 120_000)

  it('finds five planted bugs, each with a bound of its noise, in 500 requests of each side, and nothing random', async () => {
    for (const seed of SEEDS) await expectFiveFound(seed)
  }, 300_000)
})
