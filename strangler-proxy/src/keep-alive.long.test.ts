import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { startProxy, type TestProxy } from '../test-support/start-proxy.ts'
import { startClosingUpstream } from '../test-support/upstream.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
`
const AT_ONCE = 1_000
const ROUNDS = 10
const IDLE_MS = 5_000
/** How long before and after its end of an idle connection requests come. */
const AROUND_MS = 200

/** On a connection of its own: what a client sees of the race is what the proxy lets it see. */
async function statusOf(proxy: TestProxy): Promise<number | string> {
  const asked = get(`${proxy.url}/api/goods`, { agent: false })
  try {
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    await once(answer.resume(), 'end')
    return answer.statusCode!
  } catch (error) {
    return (error as Error).message
  }
}

it(`${AT_ONCE * ROUNDS} reads that come when the upstream closes its idle connections all have their answer`, async () => {
  let waiting: ServerResponse[] = []
  const server = createServer({ keepAliveTimeout: IDLE_MS }, (_req, res) => {
    waiting.push(res)
    // All at once in the first round, so that each has a connection of its own.
    if (waiting.length < AT_ONCE && !begun) return
    for (const one of waiting) one.end('{}')
    waiting = []
  }).listen(0, '127.0.0.1')
  let begun = false
  await once(server, 'listening')
  const proxy = await startProxy({
    routes: ROUTES,
    monolith: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  })
  const seen: (number | string)[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const after = (index: number) => (round === 0 ? 0 : IDLE_MS - AROUND_MS + (2 * AROUND_MS * index) / AT_ONCE)
    const all = Array.from({ length: AT_ONCE }, async (_, index) => {
      await new Promise((resolve) => setTimeout(resolve, after(index)))
      return await statusOf(proxy)
    })
    seen.push(...(await Promise.all(all)))
    begun = true
  }
  await proxy.close()
  server.close()
  server.closeAllConnections()
  expect(seen.filter((one) => one !== 200)).toEqual([])
  expect(seen).toHaveLength(AT_ONCE * ROUNDS)
})

it(`${AT_ONCE * ROUNDS} reads, every other one into a connection that its upstream is just closing, all have their answer`, async () => {
  const upstream = await startClosingUpstream()
  const proxy = await startProxy({ routes: ROUTES, monolith: upstream.url })
  const seen: (number | string)[] = []
  while (seen.length < AT_ONCE * ROUNDS)
    seen.push(...(await Promise.all(Array.from({ length: 20 }, () => statusOf(proxy)))))
  const metrics = await proxy.parts.metrics.http.registry.metrics()
  await proxy.close()
  await upstream.close()
  expect(seen.filter((one) => one !== 200)).toEqual([])
  expect(Number(/proxy_resends_total\{why="connection"\} (\d+)/.exec(metrics)?.[1])).toBeGreaterThan(1_000)
})
