import { describe, expect, it } from 'vitest'
import { BUGS } from './testing/pair-app.ts'
import { compareApps, SHOWS } from './testing/pair-walks.ts'

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
})
