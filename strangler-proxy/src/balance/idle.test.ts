import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { startUpstream } from '../../test-support/upstream.ts'
import { createUpstreams } from '../upstreams.ts'
import { closeIdle, IDLE_MS } from './idle.ts'

async function start(announced: string | undefined, idleMs: number, answer = (end: () => void) => end()) {
  const upstream = await startUpstream('upstream', (_req, res) => answer(() => res.end('{}')))
  upstream.server.keepAliveTimeout = 60_000
  const upstreams = createUpstreams([upstream.url], {})
  const one = upstreams.pick('monolith', null)!
  one.keepAlive = announced
  const idle = closeIdle(upstreams.groups, idleMs)
  onTestFinished(async () => {
    idle.close()
    upstreams.close()
    await upstream.close()
  })
  const ask = async () => {
    const asked = request({ ...one.target, path: '/', agent: one.agent }).end()
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    answer.resume()
    await once(answer, 'end')
    return asked.reusedSocket
  }
  return { ask, connections: upstream.connections, upstreams }
}

// Only the looks and the clock they go by are made up: connections, requests and answers are real.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }))
afterEach(() => void vi.useRealTimers())

/** @returns milliseconds until nothing is connected any more, by the clock of the looks */
async function closedAfter(connections: () => number, withinMs: number): Promise<number> {
  const from = performance.now()
  while (connections() > 0 && performance.now() - from < withinMs) {
    vi.advanceTimersByTime(50)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return performance.now() - from
}

describe('an idle connection', () => {
  it('is closed once it has been idle for long enough, and no later', async () => {
    const { ask, connections } = await start(undefined, 3_000)
    await ask()
    const afterMs = await closedAfter(connections, 10_000)
    expect(afterMs).toBeGreaterThanOrEqual(2_500)
    expect(afterMs).toBeLessThanOrEqual(3_500)
  })

  it('is closed a second before its upstream closes it, as that announces', async () => {
    const { ask, connections } = await start('timeout=3', 60_000)
    await ask()
    expect(await closedAfter(connections, 10_000)).toBeLessThan(3_000)
  })

  it('is closed before a Node at the other end would close it', () => {
    expect(IDLE_MS).toBeLessThan(createServer().keepAliveTimeout)
  })

  it('is kept while it is used', async () => {
    const { ask } = await start(undefined, 2_000)
    await ask()
    for (let asked = 0; asked < 20; asked += 1) {
      vi.advanceTimersByTime(1_000)
      expect(await ask()).toBe(true)
    }
  })

  it('to an address that has gone is closed when what was under way on it has ended', async () => {
    const arrived = Promise.withResolvers<() => void>()
    const { ask, connections, upstreams } = await start(undefined, 60_000, arrived.resolve)
    const asked = ask()
    const end = await arrived.promise
    upstreams.setMonolith([])
    end()
    await asked
    // No look is needed for it.
    while (connections() > 0) await new Promise(setImmediate)
  })
})
