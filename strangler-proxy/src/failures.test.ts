import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { openRaw, until } from '../test-support/raw.ts'
import { ownershipOf, startProxy, type TestProxy } from '../test-support/start-proxy.ts'
import { startClosingUpstream, startUpstream, type TestUpstream } from '../test-support/upstream.ts'
import { NO_FACTS } from './decide.ts'
import { IN_STEP_MS, spareSide } from './fallback.ts'
import { UNROUTED_DEADLINE_MS } from './routes/route.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: GET, path: /api/goods/soon, context: goods, access: read, deadline: 2s }
  - { method: POST, path: /api/goods, context: goods, access: write, resend: idempotency-key }
`
const started: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of started.splice(0)) await one.close()
})
type Answer = (req: IncomingMessage, res: ServerResponse) => void

/** Both sides in step, reads with the service by the flag, writes with the monolith. */
async function house(how: { service?: Answer; monolith?: Answer } = {}) {
  const monolith = await startUpstream('monolith', how.monolith)
  const service = await startUpstream('service', how.service)
  const proxy = await startProxy({
    routes: ROUTES,
    monolith: monolith.url,
    services: { goods: service.url },
    flag: () => true,
  })
  started.push(proxy, monolith, service)
  proxy.own('goods', { phase: 'ready', heartbeatApplied: new Date() })
  return { proxy, monolith, service }
}
const read = async (proxy: TestProxy, init: RequestInit = {}, path = '/api/goods') => {
  const answer = await fetch(proxy.url + path, init)
  const text = await answer.text()
  return {
    status: answer.status,
    name: answer.status === 200 && text ? (JSON.parse(text) as { name: string }).name : '',
  }
}
const metricsOf = (proxy: TestProxy) => proxy.parts.metrics.http.registry.metrics()
const fails =
  (status: number): Answer =>
  (_req, res) =>
    res.writeHead(status).end('{"code":"broken"}')
const answers =
  (name: string): Answer =>
  (_req, res) =>
    res.end(JSON.stringify({ name }))
const readsOf = (upstream: TestUpstream) => upstream.seen.filter((one) => one.method === 'GET').length

describe('a read whose side fails before the first byte', () => {
  it.each([
    ['answers 502', fails(502)],
    ['answers 503', fails(503)],
    ['answers 504', fails(504)],
    ['cuts the connection', (_req: IncomingMessage, res: ServerResponse) => res.destroy()],
    ['says nothing in half of the time', () => undefined],
  ] as [string, Answer][])('because it %s is answered by the other side', async (_how, service) => {
    const { proxy, service: seen } = await house({ service })
    expect(await read(proxy, {}, '/api/goods/soon')).toEqual({ status: 200, name: 'monolith' })
    expect(seen.seen).toHaveLength(1)
    expect(await metricsOf(proxy)).toContain('side="monolith",reason="fallback",context="goods"} 1')
  })

  it('because nobody accepts a connection is answered by the other side, and the next ones are not even tried there', async () => {
    const { proxy, service } = await house()
    await service.close()
    for (let time = 0; time < 30; time += 1) expect(await read(proxy)).toEqual({ status: 200, name: 'monolith' })
    const text = await metricsOf(proxy)
    expect(Number(/proxy_resends_total\{why="connection"\} (\d+)/.exec(text)?.[1])).toBeLessThan(10)
    expect(text).toContain('reason="fallback",context="goods"} 30')
  })

  it('is answered by the other side where only its head is asked for, too', async () => {
    const { proxy, monolith } = await house({ service: fails(503) })
    expect((await read(proxy, { method: 'HEAD' })).status).toBe(200)
    expect(monolith.seen.map(({ method }) => method)).toEqual(['HEAD'])
  })

  it('is not denied a second try where there is no other place for it', async () => {
    const { proxy, monolith } = await house({ monolith: fails(503) })
    proxy.own('goods', { phase: 'idle' })
    for (let time = 0; time < 5; time += 1) expect((await read(proxy)).status).toBe(503)
    expect(monolith.seen).toHaveLength(5)
    expect(await metricsOf(proxy)).toContain('proxy_retries_denied_total 0')
  })

  it('keeps a status of its own that says nothing of the side', async () => {
    const { proxy, monolith } = await house({ service: fails(500) })
    expect((await read(proxy)).status).toBe(500)
    expect(monolith.seen).toEqual([])
  })

  it('once the first byte is there, breaks off', async () => {
    const { proxy, monolith } = await house({
      service: (_req, res) => {
        res.writeHead(200, { 'content-length': '100' }).write('half')
        setImmediate(() => res.destroy())
      },
    })
    const answer = await fetch(`${proxy.url}/api/goods`)
    await expect(answer.text()).rejects.toThrow()
    expect(monolith.seen).toEqual([])
  })

  it('is answered by the service when the owner fails, while that is in step', async () => {
    const { proxy, service } = await house({ monolith: fails(503) })
    proxy.own('goods', { phase: 'ready', owner: 'monolith', reads: 'flag' })
    const owned = await startProxy({
      routes: ROUTES,
      monolith: proxy.parts.upstreams.all().monolith![0]!,
      services: { goods: service.url },
    })
    started.unshift(owned)
    owned.own('goods', { phase: 'ready', heartbeatApplied: new Date() })
    expect(await read(owned)).toEqual({ status: 200, name: 'service' })
    owned.own('goods', { heartbeatApplied: new Date(Date.now() - 2 * IN_STEP_MS) })
    expect((await read(owned)).status).toBe(503)
  })

  it('gets the answer as it was where both sides fail, and each was asked once', async () => {
    const { proxy, monolith, service } = await house({ service: fails(503), monolith: fails(502) })
    expect((await read(proxy)).status).toBe(502)
    expect([readsOf(service), readsOf(monolith)]).toEqual([1, 1])
  })
})

describe('who may answer in place of whom', () => {
  const now = new Date('2026-01-01T12:00:00Z')
  const ready = ownershipOf('goods', { phase: 'ready', heartbeatApplied: new Date(now.getTime() - 500) })
  const spare = (change: Partial<typeof ready>, side: 'monolith' | 'service', facts = {}, reason = 'owner') =>
    spareSide({ side, reason: reason as 'owner' }, { ...ready, ...change }, { ...NO_FACTS, ...facts }, () => now)

  it.each([
    ['the owner for a read that was shared out', {}, 'service', {}, 'monolith'],
    ['the owner, whatever the other side has', { heartbeatApplied: null }, 'service', {}, 'monolith'],
    ['the service for the owner, in step', {}, 'monolith', {}, 'service'],
    [
      'the service while it is two seconds behind',
      { heartbeatApplied: new Date(now.getTime() - 2_000) },
      'monolith',
      {},
      'service',
    ],
    ['the monolith for the owner after the switch', { owner: 'service', phase: 'switched' }, 'service', {}, 'monolith'],
    ['nobody while the data is copied', { phase: 'copying' }, 'monolith', {}, null],
    ['nobody once the move is complete', { phase: 'completed', owner: 'service' }, 'service', {}, null],
    ['nobody after the kill switch', { reads: 'owner' }, 'monolith', {}, null],
    ['nobody before a heartbeat has been seen', { heartbeatApplied: null }, 'monolith', {}, null],
    [
      'nobody while the other side is behind',
      { heartbeatApplied: new Date(now.getTime() - 2_001) },
      'monolith',
      {},
      null,
    ],
    ['nobody for who wrote a moment ago', {}, 'monolith', { writtenUntil: now.getTime() }, null],
  ] as const)('%s', (_what, change, side, facts, expected) => {
    expect(spare(change, side, facts)).toBe(expected)
  })
  it('nobody for who asked for that side', () => {
    expect(spare({}, 'monolith', {}, 'override')).toBeNull()
  })
})

describe('a write', () => {
  const post = (proxy: TestProxy, headers: Record<string, string> = {}) =>
    fetch(`${proxy.url}/api/goods`, { method: 'POST', headers })

  it.each([502, 503, 504])('that is answered with %i is sent once, with or without a key', async (status) => {
    const { proxy, monolith } = await house({ monolith: fails(status) })
    expect((await post(proxy)).status).toBe(status)
    expect((await post(proxy, { 'idempotency-key': 'k' })).status).toBe(status)
    expect(monolith.seen).toHaveLength(2)
  })

  it('is sent once though there is another instance, and has the answer that was given', async () => {
    const instances = [await startUpstream('one', fails(503)), await startUpstream('two', fails(503))]
    const proxy = await startProxy({ routes: ROUTES, monolith: instances.map(({ url }) => url) })
    started.push(proxy, ...instances)
    for (const headers of [{}, { 'idempotency-key': 'k' }]) {
      const answer = await post(proxy, headers as Record<string, string>)
      expect([answer.status, await answer.text()]).toEqual([503, '{"code":"broken"}'])
    }
    const sent = instances.flatMap(({ seen }) => seen)
    expect(sent).toHaveLength(2)
    // Nor is it given less time for that: half of thirty seconds is for what could go elsewhere.
    for (const { headers } of sent) expect(Number(headers['banyan-deadline-ms'])).toBeGreaterThan(15_000)
  })

  it('never goes to the other side', async () => {
    const { proxy, monolith, service } = await house()
    await monolith.close()
    expect((await post(proxy, { 'idempotency-key': 'k' })).status).toBe(502)
    expect(service.seen).toEqual([])
  })
})

describe('a total outage', () => {
  it('raises the load by a fifth at most, and by three at least', async () => {
    const { proxy, monolith, service } = await house({ service: fails(503), monolith: fails(503) })
    // Once the service is known to be down, some go to the monolith at first, and stay with what it says.
    const all = await Promise.all(Array.from({ length: 15 }, () => read(proxy)))
    expect(all.every((one) => one.status === 503)).toBe(true)
    expect(readsOf(service) + readsOf(monolith)).toBe(15 + 3)
    expect(await metricsOf(proxy)).toMatch(/proxy_retries_denied_total [1-9]/)
  })

  it('of connections that are cut raises it no more than that', async () => {
    const { proxy, monolith } = await house({ monolith: (_req, res) => res.destroy() })
    proxy.own('goods', { phase: 'idle' })
    const all = await Promise.all(Array.from({ length: 15 }, () => read(proxy)))
    expect(all.every((one) => one.status === 502)).toBe(true)
    expect(readsOf(monolith)).toBe(15 + 3)
  })

  it.each([
    ['says that it cannot', fails(503)],
    ['cuts its connections', (_req: IncomingMessage, res: ServerResponse) => res.destroy()],
  ] as [string, Answer][])(
    'of a side that %s loads the other one by a fifth of its own requests at most',
    async (_how, breaks) => {
      let isBroken = false
      let asked = 0
      const allAsked = Promise.withResolvers<void>()
      const { proxy, monolith } = await house({
        async service(req, res) {
          // On a connection of its own each: one that was used before says nothing of its side.
          if (!isBroken) return answers('service')(req, res.setHeader('connection', 'close'))
          asked += 1
          if (asked === 15) allAsked.resolve()
          await allAsked.promise
          breaks(req, res)
        },
      })
      // Of these a fifth are eight, and none of them went to the monolith.
      for (let time = 0; time < 40; time += 1) await read(proxy)
      isBroken = true
      const all = await Promise.all(Array.from({ length: 15 }, () => read(proxy)))
      expect(all.filter(({ status }) => status === 200)).toHaveLength(3)
      expect(readsOf(monolith)).toBe(3)
      expect(await metricsOf(proxy)).toContain('proxy_retries_denied_total 12')
    },
  )

  it('opens the breaker after twenty requests, which then lets one through to see, and closes when that went well', async () => {
    let well = false
    const { proxy, monolith } = await house({
      monolith: (req, res) => (well ? answers('monolith') : fails(503))(req, res),
    })
    const post = async () => {
      const answer = await fetch(`${proxy.url}/api/goods`, { method: 'POST' })
      return [answer.status, ((await answer.json()) as { code?: string }).code]
    }
    const first = await Promise.all(Array.from({ length: 19 }, post))
    expect(first.every(([, code]) => code === 'broken')).toBe(true)
    expect(await post()).toEqual([503, 'broken'])
    expect(await post()).toEqual([503, 'upstream-failing'])
    expect(monolith.seen).toHaveLength(20)
    // Still broken: one request is let through, and no second one behind it.
    const [group] = proxy.parts.upstreams.groups()
    await until('it lets one through', () => group!.isUp() || group!.instances()[0]!.downUntil > performance.now())
    await until('one was let through', async () => (await post())[1] === 'broken')
    expect(monolith.seen).toHaveLength(21)
    expect((await Promise.all([post(), post()])).map(([, code]) => code)).toEqual([
      'upstream-failing',
      'upstream-failing',
    ])
    well = true
    await until('it closes', async () => (await post())[0] === 200)
    expect((await Promise.all([post(), post()])).map(([status]) => status)).toEqual([200, 200])
    expect(monolith.seen).toHaveLength(24)
    const text = await metricsOf(proxy)
    expect(text).toMatch(/^proxy_breaker_changes_total\{side="monolith",context="",to="open"\} [12]$/m)
    expect(text).toContain('proxy_breaker_changes_total{side="monolith",context="",to="closed"} 1')
  })
})

it('an upstream is told how many milliseconds it has, which no client can say', async () => {
  const { proxy, service, monolith } = await house({ service: fails(503) })
  await read(proxy, { headers: { 'banyan-deadline-ms': '999999' } }, '/api/goods/soon')
  const [first, second] = [service, monolith].map((one) => Number(one.seen[0]!.headers['banyan-deadline-ms']))
  expect(first).toBeGreaterThan(0)
  // Half of its two seconds, since there was another side; what is left of them for that.
  expect(first).toBeLessThanOrEqual(1_000)
  expect(second).toBeGreaterThan(first!)
  expect(second).toBeLessThanOrEqual(2_000)
  // All of them where there is no other place.
  proxy.own('goods', { phase: 'idle' })
  await read(proxy, {}, '/api/goods/soon')
  expect(Number(monolith.seen.at(-1)!.headers['banyan-deadline-ms'])).toBeGreaterThan(1_000)
  await read(proxy, {}, '/off/the/rules')
  const unrouted = Number(monolith.seen.at(-1)!.headers['banyan-deadline-ms'])
  expect(unrouted).toBeGreaterThan(2_000)
  expect(unrouted).toBeLessThanOrEqual(UNROUTED_DEADLINE_MS)
})

it('the second place that is asked has all of the time that is left, though there is a third', async () => {
  const instances = await Promise.all(['one', 'two', 'three'].map((name) => startUpstream(name, fails(503))))
  const proxy = await startProxy({ routes: ROUTES, monolith: instances.map(({ url }) => url) })
  started.push(proxy, ...instances)
  await read(proxy, {}, '/api/goods/soon')
  const told = instances.flatMap(({ seen }) => seen.map(({ headers }) => Number(headers['banyan-deadline-ms'])))
  expect(told.map((ms) => ms > 1_000).sort()).toEqual([false, true])
})

it('a kept connection that its upstream is just closing costs no read its answer', async () => {
  const upstream = await startClosingUpstream()
  const proxy = await startProxy({ routes: ROUTES, monolith: upstream.url })
  started.push(proxy, upstream)
  const first = vi.spyOn(proxy.parts.upstreams.groups()[0]!.budget, 'request')
  for (let round = 0; round < 20; round += 1) {
    const statuses = await Promise.all(Array.from({ length: 10 }, async () => (await read(proxy)).status))
    expect(statuses).toEqual(Array(10).fill(200))
  }
  expect(upstream.connections()).toBe(200)
  // What was sent once more makes no room for more of that.
  expect(first).toHaveBeenCalledTimes(200)
  expect(await metricsOf(proxy)).toMatch(/proxy_resends_total\{why="connection"\} [1-9]/)
})

describe('a request that is refused in the middle of what its client sends', () => {
  it('says nothing of its upstream, which goes on getting requests', async () => {
    const upstream = await startUpstream('strict')
    const proxy = await startProxy({ routes: ROUTES, monolith: upstream.url })
    started.push(proxy, upstream)
    const one = proxy.parts.upstreams.pick('monolith', null)!
    for (let time = 0; time < 25; time += 1) {
      // Short enough for this listener, and with what is added to it too long for that of the upstream.
      const head = `POST /x HTTP/1.1\r\nHost: s\r\nX-Long: ${'x'.repeat(16_200)}\r\nContent-Length: 2000000\r\n\r\n`
      const client = await openRaw(proxy.port)
      client.on('error', () => undefined).resume()
      client.write(head)
      client.write(Buffer.alloc(1_000_000))
      await until('it is over', () => one.load === 0 && client.readableEnded)
      client.destroy()
    }
    expect([one.failures, one.group.isUp()]).toEqual([0, true])
  })
})

describe('an answer that is none of HTTP', () => {
  const raw = async (head: string) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.end(Buffer.from(`${head}\r\nContent-Length: 2\r\n\r\nok`, 'latin1')))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const proxy = await startProxy({
      routes: ROUTES,
      monolith: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    })
    started.push(proxy, { close: async () => void server.close() })
    return fetch(`${proxy.url}/off/the/rules`, { method: 'POST' })
  }

  it('by its status is a 502, and ends nothing else', async () => {
    for (const status of ['000', '042', '099']) expect((await raw(`HTTP/1.1 ${status} What`)).status).toBe(502)
  })

  it('by the text beside its status goes on with the usual one', async () => {
    const answer = await raw('HTTP/1.1 200 O\x01K')
    expect([answer.status, answer.statusText, await answer.text()]).toEqual([200, 'OK', 'ok'])
    expect((await raw('HTTP/1.1 200 Quite Well')).statusText).toBe('Quite Well')
  })
})

it('a fault of the proxy itself is a 500 that tells nothing of it, and stands in the log', async () => {
  const { proxy } = await house()
  vi.spyOn(proxy.parts, 'arrive').mockImplementation(() => {
    throw new Error('planted')
  })
  const logged = vi.spyOn(proxy.parts.logger, 'error')
  const answer = await fetch(`${proxy.url}/api/goods`)
  const text = await answer.text()
  expect([answer.status, answer.headers.get('content-type')]).toEqual([500, 'application/problem+json'])
  expect(JSON.parse(text)).toMatchObject({ status: 500, code: 'internal' })
  expect(text).not.toContain('planted')
  expect(logged.mock.calls).toMatchObject([[{ err: { message: 'planted' } }, expect.any(String)]])
})
