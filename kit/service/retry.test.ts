import { describe, expect, it } from 'vitest'
import { createRetryBudget, mayRepeat } from './retry.ts'

describe('mayRepeat', () => {
  it('repeats anything that was not sent', () => {
    expect(mayRepeat('not-sent', { method: 'POST', keyed: false })).toBe(true)
  })

  it('repeats what may have been done only if it is safe or carries a key', () => {
    for (const failure of ['ambiguous', 'unavailable'] as const) {
      for (const method of ['GET', 'HEAD', 'OPTIONS']) expect(mayRepeat(failure, { method, keyed: false })).toBe(true)
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        expect(mayRepeat(failure, { method, keyed: false })).toBe(false)
        expect(mayRepeat(failure, { method, keyed: true })).toBe(true)
      }
    }
  })
})

describe('the retry budget', () => {
  it('grants three to a caller that hardly calls', () => {
    const budget = createRetryBudget(() => 0)
    budget.request()
    expect([1, 2, 3, 4].map(() => budget.spend())).toEqual([true, true, true, false])
  })

  it('grants a fifth of many: a total outage raises the load to at most 1.2 times', () => {
    const budget = createRetryBudget(() => 0)
    let retries = 0
    for (let request = 0; request < 1_000; request++) {
      budget.request()
      if (budget.spend()) retries++
    }
    expect(retries).toBeGreaterThan(150)
    expect(retries).toBeLessThanOrEqual(200)
  })

  it('forgets after ten seconds', () => {
    let now = 0
    const budget = createRetryBudget(() => now)
    for (let spent = 0; spent < 4; spent++) budget.spend()
    now = 9_999
    expect(budget.spend()).toBe(false)
    now = 10_000
    expect(budget.spend()).toBe(true)
  })

  it('forgets what nobody has counted over since', () => {
    let now = 0
    const budget = createRetryBudget(() => now)
    const spent = () => {
      let times = 0
      while (budget.spend()) times++
      return times
    }
    for (let request = 0; request < 100; request++) budget.request()
    expect(spent()).toBe(20)
    now = 15_000
    expect(spent()).toBe(3)
  })
})
