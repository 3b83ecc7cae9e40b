import type { IncomingMessage, ServerResponse } from 'node:http'
import { createLogger } from '@banyan/kit/service'
import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../../test-support/raw.ts'
import { startProxy, type TestProxy } from '../../test-support/start-proxy.ts'
import { startUpstream } from '../../test-support/upstream.ts'
import { parseRoutes } from '../routes/parse.ts'
import { watchNames } from './names.ts'

const table = (upstreams: string) => `
contexts: { goods: goods-service }
upstreams: ${upstreams}
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: POST, path: /api/goods, context: goods, access: write, resend: idempotency-key }
`
const started: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of started.splice(0)) await one.close()
})
type Answer = (req: IncomingMessage, res: ServerResponse) => void

async function two(upstreams: string, first?: Answer, second?: Answer) {
  const one = await startUpstream('one', first)
  const other = await startUpstream('other', second)
  const proxy = await startProxy({ routes: table(upstreams), monolith: [one.url, other.url] })
  started.push(proxy, one, other)
  return { proxy, one, other }
}
const ask = async (proxy: TestProxy, times: number, init: RequestInit = {}) => {
  const statuses: number[] = []
  for (let time = 0; time < times; time += 1) {
    const answer = await fetch(`${proxy.url}/api/goods`, init)
    await answer.text()
    statuses.push(answer.status)
  }
  return statuses
}
const states = async (proxy: TestProxy) =>
  Object.fromEntries(
    [...(await proxy.parts.metrics.http.registry.metrics()).matchAll(/proxy_instances\{.*state="(\w+)"\} (\d+)/g)]
      .filter(([line]) => line.includes('side="monolith"'))
      .map(([, state, count]) => [state, Number(count)]),
  )

describe('two instances', () => {
  it('share the requests, and the one with many under way gets fewer', async () => {
    const stuck: ServerResponse[] = []
    const { proxy, one, other } = await two('{}', (req, res) => {
      if (req.url?.includes('slow')) stuck.push(res)
      else res.end()
    })
    const waiting = Array.from({ length: 20 }, () => fetch(`${proxy.url}/slow`).catch(() => null))
    await until('both have some', () => one.seen.length + other.seen.length === 20)
    // Whoever answers at once is never the busier one.
    expect(other.seen.length).toBeGreaterThan(one.seen.length)
    const before = one.seen.length
    expect(await ask(proxy, 20)).toEqual(Array(20).fill(200))
    expect(one.seen.length).toBe(before)
    for (const res of stuck) res.end()
    await Promise.all(waiting)
  })

  it('one that fails five times in a row is out for a while, though no client sees a failure of it', async () => {
    const { proxy, one } = await two('{ ejection: { failures: 5, for: 60s } }', (_req, res) => res.writeHead(503).end())
    const statuses: number[] = []
    while (one.seen.length < 5) statuses.push(...(await ask(proxy, 1)))
    expect(await states(proxy)).toEqual({ up: 1, unhealthy: 0, ejected: 1 })
    statuses.push(...(await ask(proxy, 20)))
    expect(one.seen).toHaveLength(5)
    // The budget has three at least in it; more of so few requests would not be sent twice.
    expect(statuses.filter((status) => status === 503).length).toBeLessThanOrEqual(2)
    const text = await proxy.parts.metrics.http.registry.metrics()
    expect(text).toContain('proxy_ejections_total{side="monolith",context="",why="failures"} 1')
  })

  it('one that accepts no connection is out at once, and nothing fails, not even a write', async () => {
    const { proxy, one, other } = await two('{}')
    await one.close()
    expect(await ask(proxy, 40, { method: 'POST', body: '{"quantity":1}' })).toEqual(Array(40).fill(200))
    expect(new Set(other.seen.map(({ body }) => body))).toEqual(new Set(['{"quantity":1}']))
    const text = await proxy.parts.metrics.http.registry.metrics()
    // Each that was sent there puts it out at once, so that none of those behind it is.
    const [ejections, resends] = [
      /^proxy_ejections_total\{.*why="connect"\} (\d+)$/m,
      /^proxy_resends_total\{why="connection"\} (\d+)$/m,
    ].map((line) => Number(line.exec(text)?.[1]))
    expect(ejections).toBeGreaterThan(0)
    expect(resends).toBe(ejections)
  })

  it('what was not sent costs no budget, and goes to three instances at most', async () => {
    const { proxy, one, other } = await two('{ ejection: { share: 1% } }')
    await one.close()
    const all = await Promise.all(Array.from({ length: 40 }, () => ask(proxy, 1, { method: 'POST' })))
    expect(all.flat()).toEqual(Array(40).fill(200))
    await other.close()
    proxy.parts.upstreams.setMonolith([1, 2, 3, 4].map((port) => `http://127.0.0.1:${port}`))
    const resends = async () => {
      const text = await proxy.parts.metrics.http.registry.metrics()
      return Number(/^proxy_resends_total\{why="connection"\} (\d+)$/m.exec(text)?.[1])
    }
    const before = await resends()
    // Nobody is put out at this share. More than a fifth of forty, and than three.
    expect(before).toBeGreaterThan(8)
    expect(await ask(proxy, 1)).toEqual([502])
    expect((await resends()) - before).toBe(2)
  })

  it('one that fails now and then, never as often in a row, stays', async () => {
    let asked = 0
    const { proxy, one } = await two('{ ejection: { failures: 3, for: 60s } }', (_req, res) => {
      asked += 1
      res.writeHead(asked % 3 === 0 ? 200 : 503).end()
    })
    while (one.seen.length < 9) await ask(proxy, 1, { method: 'POST' })
    expect(await states(proxy)).toEqual({ up: 2, unhealthy: 0, ejected: 0 })
  })

  it.each([
    ['failed', (res: ServerResponse) => res.writeHead(503).end()],
    ['accepted no connection', null],
  ])('one that %s gets requests again after its time', async (_how, fails) => {
    let isWell = false
    const { proxy, one } = await two('{ ejection: { failures: 1, for: 50ms } }', (_req, res) => {
      if (isWell || fails === null) res.end()
      else fails(res)
    })
    const { port } = new URL(one.url)
    if (fails === null) await one.close()
    const isOut = async () => (await proxy.parts.metrics.http.registry.metrics()).includes('proxy_ejections_total{')
    while (!(await isOut())) await ask(proxy, 1, { method: 'POST' })
    const before = one.seen.length
    isWell = true
    if (fails === null) one.server.listen(Number(port), '127.0.0.1')
    await until('it is asked again', async () => {
      await ask(proxy, 1)
      return one.seen.length > before
    })
  })

  it('are never both put out by failures', async () => {
    const fails: Answer = (_req, res) => res.writeHead(503).end()
    const { proxy, one, other } = await two('{ ejection: { failures: 1, for: 60s } }', fails, fails)
    await ask(proxy, 15, { method: 'POST' })
    expect(await states(proxy)).toEqual({ up: 0, unhealthy: 0, ejected: 2 })
    expect([one.seen.length > 1, other.seen.length > 1]).toEqual([true, true])
  })
})

describe('an active check', () => {
  it('takes out an instance that says it is not ready, closes what is idle there, and brings it back', async () => {
    let ready = true
    const answer: Answer = (req, res) => res.writeHead(req.url === '/ready' && !ready ? 503 : 200).end('{}')
    const settings =
      '{ health: { monolith: /ready, interval: 20ms, timeout: 1s, failures: 2, passes: 2 }, slow-start: 1ms }'
    const { proxy, one, other } = await two(settings, answer)
    const asked = () => one.seen.filter(({ url }) => url === '/api/goods').length
    while (asked() === 0) await ask(proxy, 1)
    ready = false
    await until('it is out', async () => (await states(proxy)).unhealthy === 1)
    const sockets = proxy.parts.upstreams.groups()[0]!.instances()[0]!.agent.freeSockets
    expect(Object.values(sockets).flat()).toEqual([])
    const before = asked()
    expect(await ask(proxy, 20)).toEqual(Array(20).fill(200))
    expect(asked()).toBe(before)
    ready = true
    await until('it is back', async () => (await states(proxy)).up === 2)
    while (asked() === before) await ask(proxy, 1)
    expect(other.seen.filter(({ url }) => url === '/ready')).not.toEqual([])
    const text = await proxy.parts.metrics.http.registry.metrics()
    expect(text).toContain('why="health"} 1')
  })

  it('does not take the last one', async () => {
    const settings = '{ health: { monolith: /ready, interval: 20ms, failures: 1 } }'
    const notReady: Answer = (req, res) => res.writeHead(req.url === '/ready' ? 503 : 200).end('{}')
    const { proxy } = await two(settings, notReady, notReady)
    await until('both are unhealthy', async () => (await states(proxy)).unhealthy === 2)
    expect(await ask(proxy, 3)).toEqual([200, 200, 200])
  })
})

describe('a name in a configured address', () => {
  const logger = createLogger({ name: 'names under test', level: 'silent' })
  const address = (text: string) => ({ address: text, family: text.includes(':') ? 6 : 4 })

  it('is looked up again, each address an instance of its own, and what is known last stays while it cannot be', async () => {
    let found: string[] | null = ['10.0.0.2', '10.0.0.1', 'fd00::1']
    const seen: (readonly string[])[] = []
    const names = watchNames({
      named: [{ urls: ['http://shop:3000', 'http://127.0.0.1:4000'], set: (urls) => void seen.push(urls) }],
      logger,
      everyMs: 1,
      resolve: async (name) => {
        expect(name).toBe('shop')
        if (found === null) throw new Error('no such name')
        return found.map(address)
      },
    })
    await names.ready
    expect(seen[0]).toEqual(['http://10.0.0.1:3000', 'http://10.0.0.2:3000', 'http://127.0.0.1:4000'])
    found = ['fd00::1']
    await until('the new one is there', () => seen.at(-1)!.includes('http://[fd00::1]:3000'))
    found = null
    const before = seen.length
    await until('it was asked in vain', () => seen.length > before + 2)
    expect(seen.at(-1)).toEqual(['http://[fd00::1]:3000', 'http://127.0.0.1:4000'])
    names.close()
  })

  it('is left as it is where there is none, or where it is this machine', async () => {
    const never = () => expect.unreachable('nothing to look up')
    const set = () => expect.unreachable('nothing to set')
    await watchNames({
      named: [{ urls: ['http://127.0.0.1:1', 'http://localhost:2', 'http://[::1]:3'], set }],
      logger,
      resolve: never,
    }).ready
  })

  it('whose instance has left lets requests there end, and keeps no connection for more', async () => {
    const held: ServerResponse[] = []
    const { proxy, one, other } = await two('{}', (req, res) => {
      if (req.url === '/held') held.push(res)
      else res.end()
    })
    while (one.seen.length === 0) await ask(proxy, 1)
    const { agent } = proxy.parts.upstreams
      .groups()[0]!
      .instances()
      .find(({ url }) => url === one.url)!
    const waiting: Promise<Response>[] = []
    while (held.length === 0) {
      waiting.push(fetch(`${proxy.url}/held`))
      await Promise.race([waiting.at(-1), until('it has come', () => held.length > 0)])
    }
    while (Object.values(agent.freeSockets).flat().length === 0)
      await Promise.all(Array.from({ length: 8 }, () => ask(proxy, 1)))
    proxy.parts.upstreams.setMonolith([other.url])
    expect(
      Object.values(agent.freeSockets)
        .flat()
        .every((socket) => socket?.destroyed),
    ).toBe(true)
    for (const res of held) res.end()
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual(waiting.map(() => 200))
    // Nobody looks after it any more: what is kept now would be kept until the other side closes it.
    await until('none is in use', () => Object.values(agent.sockets).flat().length === 0)
    expect(Object.values(agent.freeSockets).flat()).toEqual([])
  })

  it('keeps the connections of addresses that stay', async () => {
    const { proxy, one, other } = await two('{}')
    const [before] = proxy.parts.upstreams.groups()[0]!.instances()
    proxy.parts.upstreams.setMonolith([other.url, one.url])
    expect(proxy.parts.upstreams.groups()[0]!.instances()[1]).toBe(before)
    expect(await ask(proxy, 2)).toEqual([200, 200])
  })
})

it('what a table says of instances is taken as it is written', () => {
  const health = '{ monolith: /ready, services: /health/ready, interval: 3s, timeout: 500ms, failures: 4, passes: 6 }'
  const written = `{ health: ${health}, ejection: { failures: 7, for: 8s, share: 9% }, slow-start: 11s }`
  expect(parseRoutes(table(written), 'routes.yaml').upstreams).toEqual({
    health: {
      ...{ monolith: '/ready', services: '/health/ready', intervalMs: 3_000, timeoutMs: 500 },
      ...{ failures: 4, passes: 6 },
    },
    ejection: { failures: 7, forMs: 8_000, share: 0.09 },
    slowStartMs: 11_000,
  })
})

it.each([
  ['{ health: { monolith: ready } }', 'upstreams.health.monolith: must be a path'],
  ['{ ejection: { share: 0% } }', 'upstreams.ejection.share: must be from 1% to 100%'],
  ['{ health: { failures: 0 } }', 'upstreams.health.failures: Too small'],
  ['{ slow-start: soon }', 'upstreams.slow-start: must be a duration'],
  ['{ halth: {} }', 'upstreams has the unknown key "halth"'],
])('%s is refused with its line', (upstreams, message) => {
  expect(() => parseRoutes(table(upstreams), 'routes.yaml')).toThrow(`routes.yaml:3: ${message}`)
})
