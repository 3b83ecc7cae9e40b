import { describe, expect, it } from 'vitest'
import { BUGS } from './testing/pair-app.ts'
import { compareApps, fiveBugs, isRandom, SHOWS } from './testing/pair-walks.ts'

const SEEDS = Array.from({ length: 2 }, (_, index) => index + 1)

describe('the pair of apps with five random fields', () => {
  it('finds all twelve planted bugs within 1,000 requests', async () => {
    const missed: string[] = []
    for (const seed of SEEDS) {
      const { real, requests } = await compareApps(seed, new Set(BUGS))
      expect(requests).toBeLessThanOrEqual(1_000)
      const lost = BUGS.filter((bug) => !real.some(SHOWS[bug]))
      if (lost.length > 0) missed.push(`seed ${seed}: ${lost.join(', ')}`)
    }
    expect(missed.length, missed.join('\n')).toBeLessThanOrEqual(1)
  }, 300_000)

  it('reports nothing where nothing is planted, in any seed', async () => {
    for (const seed of SEEDS) {
      const { real, noise, doubtful } = await compareApps(seed, new Set())
      expect([...real, ...doubtful]).toEqual([])
      expect(noise.length).toBeGreaterThan(5)
    }
  }, 300_000)

  it('finds five planted bugs, each with a bound of its noise, in 500 requests of each side, and nothing random', async () => {
    for (const seed of SEEDS) {
      const planted = fiveBugs(seed)
      const { real, requests } = await compareApps(seed, new Set(planted), 14)
      expect(planted.filter((bug) => !real.some(SHOWS[bug]))).toEqual([])
      expect(real.filter(isRandom)).toEqual([])
      // The left, its twin and the right are asked the same.
      expect(requests / 3).toBeLessThanOrEqual(500)
      for (const { noiseAtMost } of real) expect(noiseAtMost).toBeLessThan(0.5)
    }
  }, 300_000)
})
