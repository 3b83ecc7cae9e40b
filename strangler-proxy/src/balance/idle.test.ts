import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { until } from '../../test-support/raw.ts'
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

describe('an idle connection', () => {
  it('is closed once it has been idle for long enough', async () => {
    const { ask, connections } = await start(undefined, 1_000)
    await ask()
    const from = performance.now()
    await until('it is closed', () => connections() === 0)
    expect(performance.now() - from).toBeGreaterThan(400)
  })

  it('is closed a second before its upstream closes it, as that announces', async () => {
    const { ask, connections } = await start('timeout=2', 60_000)
    await ask()
    await until('it is closed', () => connections() === 0, 2_000)
  })

  it('is closed before a Node at the other end would close it', () => {
    expect(IDLE_MS).toBeLessThan(createServer().keepAliveTimeout)
  })

  it('is kept while it is used', async () => {
    const { ask } = await start(undefined, 2_000)
    await ask()
    for (const from = performance.now(); performance.now() - from < 2_500; ) {
      expect(await ask()).toBe(true)
      await new Promise((resolve) => setTimeout(resolve, 50))
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
    await until('it is closed', () => connections() === 0, 1_000)
  })
})
