import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Breaker, createBreaker } from './breaker.ts'

let breaker: Breaker
let changes: string[]
beforeEach(() => {
  vi.useFakeTimers()
  changes = []
  breaker = createBreaker((to) => changes.push(to))
})
afterEach(() => {
  breaker.close()
  vi.useRealTimers()
})

/** So many requests that end alike, one after the other. */
async function requests(times: number, well: boolean | null): Promise<void> {
  for (let time = 0; time < times; time += 1) breaker.enter()?.(well)
  await vi.advanceTimersByTimeAsync(0)
}

describe('a breaker', () => {
  it('opens when more than half of at least twenty requests failed, not before', async () => {
    await requests(19, false)
    expect(breaker.lets()).toBe(true)
    await requests(1, false)
    expect([breaker.lets(), breaker.enter(), changes]).toEqual([false, null, ['open']])
  })

  it('stays closed while half of them go well', async () => {
    await requests(30, true)
    await requests(30, false)
    expect(breaker.lets()).toBe(true)
    await requests(1, false)
    expect(breaker.lets()).toBe(false)
  })

  it('forgets what is older than a second', async () => {
    await requests(19, false)
    await vi.advanceTimersByTimeAsync(1_100)
    await requests(19, false)
    expect(breaker.lets()).toBe(true)
  })

  it('takes requests that tell nothing for no failures', async () => {
    await requests(40, null)
    expect(breaker.lets()).toBe(true)
  })

  describe('that has opened', () => {
    beforeEach(() => requests(20, false))

    it('lets one request through after a second, and the others when that went well', async () => {
      await vi.advanceTimersByTimeAsync(990)
      expect(breaker.enter()).toBeNull()
      await vi.advanceTimersByTimeAsync(10)
      const probe = breaker.enter()
      expect([typeof probe, breaker.enter()]).toEqual(['function', null])
      probe!(true)
      await requests(3, true)
      expect([breaker.lets(), changes]).toEqual([true, ['open', 'closed']])
    })

    it.each([false, null])('stays open when that says %s', async (well) => {
      await vi.advanceTimersByTimeAsync(1_000)
      breaker.enter()!(well)
      await vi.advanceTimersByTimeAsync(0)
      expect(breaker.lets()).toBe(false)
    })
  })
})
