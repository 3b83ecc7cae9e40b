import { describe, expect, it } from 'vitest'
import { bugsMissed, expectFiveFound, expectNothingFoundWhereNothingIs } from './testing/pair-promises.ts'

describe.each([1, 2])('the pair of apps with five random fields, seed %i', (seed) => {
  it('finds all twelve planted bugs within 1,000 requests', async () => {
    expect(await bugsMissed(seed)).toEqual([])
  }, 300_000)

  it('reports nothing where nothing is planted', async () => {
    await expectNothingFoundWhereNothingIs(seed)
  }, 300_000)

  it('finds five planted bugs, each with a bound of its noise, in 500 requests of each side, and nothing random', async () => {
    await expectFiveFound(seed)
  }, 300_000)
})
