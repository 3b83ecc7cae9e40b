import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, createServer, Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { openRaw, sendRaw, until } from '../test-support/raw.ts'
import { startProxy, type TestProxy } from '../test-support/start-proxy.ts'
import { startUpstream } from '../test-support/upstream.ts'

const ROUTES = `
contexts: { goods: goods-service, orders: order-service }
routes:
  - { method: POST, path: /api/orders, context: orders, access: write, writes: [orders, goods] }
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: POST, path: /api/goods, context: goods, access: write, deadline: 2s, resend: idempotency-key }
  - { method: PUT, path: /api/goods, context: goods, access: write, deadline: 300ms }
  - { method: POST, path: /api/goods/search, context: goods, access: read }
  - { method: DELETE, path: /api/goods, context: goods, access: write, resend: always }
`
const started: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of started.splice(0)) await one.close()
})
const refusedOnce = (status: number, why: string, onRefused: (attempt: number) => void) => {
  let attempts = 0
  return (_req: IncomingMessage, res: ServerResponse) => {
    attempts += 1
    res.writeHead(status, { 'banyan-refused': why, 'retry-after': '1' }).end('{}')
    onRefused(attempts)
  }
}
async function house(answer: (req: IncomingMessage, res: ServerResponse) => void) {
  const monolith = await startUpstream('monolith', answer)
  const service = await startUpstream('service')
  const proxy = await startProxy({ routes: ROUTES, monolith: monolith.url, services: { goods: service.url } })
  proxy.own('goods', { phase: 'ready' })
  started.push(proxy, monolith, service)
  return { proxy, monolith, service }
}
const post = (proxy: TestProxy, init: RequestInit = {}, path = '/api/goods') =>
  fetch(proxy.url + path, { method: 'POST', body: 'the body', ...init })

describe('what was refused with nothing done', () => {
  it.each([
    [421, 'not-owner'],
    [503, 'fenced'],
  ])('%i %s is sent again, with its body, to who owns the context by then (rule 24)', async (status, why) => {
    let proxy: TestProxy
    const made = await house(
      refusedOnce(status, why, (attempt) => {
        if (attempt === 3) proxy.own('goods', { phase: 'switched', owner: 'service' })
      }),
    )
    proxy = made.proxy
    const answer = await post(proxy)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('banyan-refused')).toBeNull()
    expect(made.monolith.seen.map((one) => one.body)).toEqual(['the body', 'the body', 'the body'])
    expect(made.service.seen.map((one) => one.body)).toEqual(['the body'])
    expect(proxy.parts.inFlight.total()).toBe(0)
  })

  it('waits at the hold when the refusal was the first sign of one', async () => {
    let proxy: TestProxy
    const made = await house(refusedOnce(503, 'fenced', () => proxy.own('goods', { phase: 'switching', hold: true })))
    proxy = made.proxy
    const answer = post(proxy)
    while (proxy.parts.hold.stats().waiting === 0) await new Promise(setImmediate)
    proxy.own('goods', { phase: 'switched', owner: 'service', hold: false })
    expect((await answer).status).toBe(200)
    expect(made.monolith.seen).toHaveLength(1)
    expect(made.service.seen).toHaveLength(1)
  })

  it('ends with the deadline as a 503 of our own; neither the header nor a 421 reaches the client', async () => {
    const { proxy, monolith } = await house(refusedOnce(421, 'not-owner', () => undefined))
    const answer = await post(proxy, { method: 'PUT' })
    expect(answer.status).toBe(503)
    expect(answer.headers.get('banyan-refused')).toBeNull()
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(await answer.json()).toMatchObject({ code: 'context-moving' })
    expect(monolith.seen.length).toBeGreaterThan(2)
  })

  it('comes again after a pause that grows, with another look at who owns, and costs nothing of the budget', async () => {
    const { proxy, monolith } = await house(
      refusedOnce(421, 'not-owner', (attempt) => {
        if (attempt === 6) proxy.own('goods', { phase: 'switched', owner: 'service' })
      }),
    )
    const looks = vi.spyOn(proxy.parts.ownership, 'refresh')
    const from = performance.now()
    expect((await post(proxy)).status).toBe(200)
    const pauses = [20, 40, 80, 160, 250, 250]
    expect(looks.mock.calls.flat()).toEqual(pauses)
    // A timer may be early by the fraction of a millisecond that it does not know of.
    expect(performance.now() - from).toBeGreaterThan(pauses.reduce((sum, ms) => sum + ms - 1, 0))
    // Three more than the first would have been all that is in the budget.
    expect(monolith.seen).toHaveLength(6)
    expect(await proxy.parts.metrics.http.registry.metrics()).toContain('proxy_retries_denied_total 0')
  })

  it('is an answer where the sending before it went nowhere: nothing was done', async () => {
    const refusing = await startUpstream(
      'refusing',
      refusedOnce(421, 'not-owner', () => {
        // From here on it is refused here: it neither waits nor is sent again.
        proxy.own('goods', { phase: 'switching' })
        proxy.leaseIs(false)
      }),
    )
    const gone = await startUpstream('gone')
    await gone.close()
    const proxy: TestProxy = await startProxy({ routes: ROUTES, monolith: [gone.url, refusing.url] })
    started.push(proxy, refusing)
    proxy.own('goods', { phase: 'ready' })
    const [group] = proxy.parts.upstreams.groups()
    // Busier than the one that is gone, which is asked first therefore.
    group!.enter(group!.instances()[1]!, false)
    const answer = await post(proxy)
    expect([answer.status, await answer.json()]).toMatchObject([503, { code: 'context-moving' }])
    expect(refusing.seen).toHaveLength(1)
    expect(await proxy.parts.metrics.http.registry.metrics()).toContain('proxy_resends_total{why="connection"} 1')
  })

  it('is no answer to an earlier sending that may have been carried out', async () => {
    let attempts = 0
    const refuses = refusedOnce(421, 'not-owner', () => undefined)
    const { proxy, monolith } = await house((req, res) => {
      attempts += 1
      if (attempts === 1) res.destroy()
      else refuses(req, res)
    })
    const answer = await post(proxy, { headers: { 'idempotency-key': 'k' } })
    expect([answer.status, await answer.json()]).toMatchObject([502, { code: 'upstream-unreachable' }])
    expect(answer.headers.get('set-cookie')).toMatch(/^banyan-written-goods=/)
    expect(monolith.seen.length).toBeGreaterThan(2)
  })

  it.each([
    ['stalls', () => undefined],
    ['breaks off', (res: ServerResponse) => res.destroy()],
    ['is reset', (res: ServerResponse) => (res.socket as Socket).resetAndDestroy()],
  ])(
    'is known by its head: a body that %s neither holds the request nor takes the promise back',
    async (_how, then) => {
      const cutOff = Promise.withResolvers<void>()
      const refusing = async (res: ServerResponse) => {
        res.writeHead(503, { 'banyan-refused': 'fenced', 'content-length': '100' })
        res.write('half')
        res.on('close', cutOff.resolve)
        // The next sending is under way when this answer comes to its end.
        await until('it was sent again', () => service.seen.length === 1)
        then(res)
      }
      const monolith = await startUpstream('monolith', (_req, res) => {
        proxy.own('goods', { phase: 'switched', owner: 'service' })
        void refusing(res)
      })
      const service = await startUpstream('service', async (_req, res) => {
        await cutOff.promise
        res.end('the service')
      })
      const proxy: TestProxy = await startProxy({
        routes: ROUTES,
        monolith: monolith.url,
        services: { goods: service.url },
      })
      started.push(proxy, monolith, service)
      proxy.own('goods', { phase: 'ready' })
      const answer = await post(proxy, { signal: AbortSignal.timeout(1_500) })
      expect([answer.status, await answer.text()]).toEqual([200, 'the service'])
      expect([monolith.seen.length, service.seen.length]).toEqual([1, 1])
    },
  )

  it('is not sent again when it streamed (rule 24)', async () => {
    const { proxy, monolith } = await house(refusedOnce(421, 'not-owner', () => undefined))
    const answer = await post(proxy, { body: 'x'.repeat(2 * 1024 * 1024) })
    expect([answer.status, monolith.seen.length]).toEqual([503, 1])
    expect(answer.headers.get('banyan-refused')).toBeNull()
  })

  it('a chunked body is kept and sent again with its length', async () => {
    let proxy: TestProxy
    const made = await house(
      refusedOnce(421, 'not-owner', () => proxy.own('goods', { phase: 'switched', owner: 'service' })),
    )
    proxy = made.proxy
    await sendRaw(
      proxy.port,
      'POST /api/goods HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
    )
    expect(
      made.service.seen.map((one) => [one.body, one.headers['content-length'], one.headers['transfer-encoding']]),
    ).toEqual([['abcde', '5', undefined]])
  })

  it('on a path that no rule names is reported as such', async () => {
    const { proxy } = await house(refusedOnce(421, 'not-owner', () => undefined))
    expect(await (await post(proxy, {}, '/api/unknown')).json()).toMatchObject({ code: 'unrouted-write', status: 503 })
  })
})

describe('a connection that fails', () => {
  /** A server that drops a number of connections after reading from them, then answers. */
  async function dropping(times: number) {
    let seen = 0
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy())
      socket.on('data', () => {
        seen += 1
        if (seen <= times) socket.destroy()
        else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok')
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const proxy = await startProxy({
      routes: ROUTES,
      monolith: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    })
    proxy.own('goods', { phase: 'ready' })
    started.push(proxy, { close: () => new Promise((resolve) => server.close(() => resolve())) })
    return { proxy, count: () => seen }
  }

  it.each(['GET', 'HEAD', 'DELETE'])(
    'is tried once more for a %s, which its rule declares harmless',
    async (method) => {
      const { proxy, count } = await dropping(1)
      expect((await fetch(`${proxy.url}/api/goods`, { method })).status).toBe(200)
      expect(count()).toBe(2)
    },
  )

  it('is tried once more for a read that is asked by a POST', async () => {
    const { proxy, count } = await dropping(1)
    expect((await post(proxy, {}, '/api/goods/search')).status).toBe(200)
    expect(count()).toBe(2)
  })

  it.each(['GET', 'HEAD'])('is tried once more for a %s that no rule names', async (method) => {
    const { proxy, count } = await dropping(1)
    expect((await fetch(`${proxy.url}/any`, { method })).status).toBe(200)
    expect(count()).toBe(2)
  })

  it('is a 502 for a write whose body is not here any more, though it carries a key', async () => {
    const { proxy, count } = await dropping(1)
    const body = 'x'.repeat(2 * 1024 * 1024)
    const answer = await post(proxy, { headers: { 'idempotency-key': 'k' }, body })
    expect([answer.status, count()]).toEqual([502, 1])
  })

  it('is a 502 for a write on a connection that had been used before, unless it carries a key', async () => {
    let writes = 0
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy())
      socket.on('data', (bytes) => {
        const isWrite = bytes.toString().startsWith('POST')
        if (isWrite) writes += 1
        if (isWrite && writes % 2) socket.destroy()
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const proxy = await startProxy({ routes: ROUTES, monolith: `http://127.0.0.1:${port}` })
    started.push(proxy, { close: () => new Promise((resolve) => server.close(() => resolve())) })
    const used = async () => await (await fetch(`${proxy.url}/any`)).text()
    await used()
    expect([(await post(proxy)).status, writes]).toEqual([502, 1])
    writes = 0
    await used()
    expect([(await post(proxy, { headers: { 'idempotency-key': 'k' } })).status, writes]).toEqual([200, 2])
  })

  it('is a 502 for a write whose fate is unknown, sent once', async () => {
    const { proxy, count } = await dropping(1)
    const answer = await post(proxy)
    expect([answer.status, count()]).toEqual([502, 1])
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    const text = await answer.text()
    expect(JSON.parse(text)).toMatchObject({ code: 'upstream-unreachable', status: 502 })
    expect(text).not.toContain('127.0.0.1')
  })

  it('keeps reads with the owner after a write, as an answer would: it may have been carried out', async () => {
    const pinned = async (made: { proxy: TestProxy }, method: string, phase: 'idle' | 'ready' = 'ready') => {
      made.proxy.own('goods', { phase })
      const answer = await post(made.proxy, method === 'GET' ? { method, body: null } : { method })
      return [answer.status, answer.headers.get('set-cookie')?.split('=')[0]]
    }
    const cut = () => house((req) => req.socket.destroy())
    const silent = await house(() => undefined)
    const refusing = await house((_req, res) => void res.writeHead(421, { 'banyan-refused': 'not-owner' }).end('{}'))
    expect(await pinned(await cut(), 'POST')).toEqual([502, 'banyan-written-goods'])
    expect(await pinned(silent, 'PUT')).toEqual([504, 'banyan-written-goods'])
    expect(await pinned(await cut(), 'POST', 'idle')).toEqual([502, undefined])
    expect(await pinned(await cut(), 'GET')).toEqual([502, undefined])
    expect(await pinned(refusing, 'PUT')).toEqual([503, undefined])
  })

  it('leaves reads where they are when nothing was sent', async () => {
    const { proxy, monolith } = await house(() => undefined)
    await monolith.close()
    const answer = await post(proxy)
    expect([answer.status, answer.headers.getSetCookie()]).toEqual([502, []])
  })

  it('keeps reads with the owner where the sending after it is refused, or finds done what the first has done', async () => {
    let attempts = 0
    const { proxy } = await house((req, res) => {
      attempts += 1
      if (attempts === 1) req.socket.destroy()
      else res.writeHead(404).end()
    })
    const answer = await post(proxy, { method: 'DELETE' })
    expect([answer.status, attempts]).toEqual([404, 2])
    expect(answer.headers.get('set-cookie')).toMatch(/^banyan-written-goods=/)
  })

  it('is tried once more for a write that carries an idempotency key, where the route says so', async () => {
    const { proxy, count } = await dropping(1)
    const answer = await post(proxy, { headers: { 'idempotency-key': 'k' } })
    expect([answer.status, count()]).toEqual([200, 2])
    const other = await dropping(1)
    const never = await post(other.proxy, { method: 'PUT', headers: { 'idempotency-key': 'k' } })
    expect([never.status, other.count()]).toEqual([502, 1])
  })

  it('is a 502 after the second failure, and a 504 without an answer in time', async () => {
    const { proxy } = await dropping(2)
    expect((await fetch(`${proxy.url}/api/goods`)).status).toBe(502)
    const silent = await house(() => undefined)
    const answer = await post(silent.proxy, { method: 'PUT' })
    expect(answer.status).toBe(504)
    expect(await answer.json()).toMatchObject({ code: 'upstream-timeout' })
    expect(silent.proxy.parts.inFlight.total()).toBe(0)
  })

  it.each(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'])(
    'is a 502 for a write, sent once, when a connection that stood ends with %s',
    async (code) => {
      const { proxy, monolith } = await house(() => {
        const { agent } = proxy.parts.upstreams.pick('monolith', null)!
        for (const socket of Object.values(agent.sockets).flat())
          socket?.destroy(Object.assign(new Error(`read ${code}`), { code, syscall: 'read' }))
      })
      const answer = await post(proxy)
      expect([answer.status, monolith.seen.length]).toEqual([502, 1])
    },
  )

  it.each([
    ['nobody accepts', '127.0.0.1'],
    ['nobody accepts, at any address of its name,', 'localhost'],
    ['has no address', 'nobody.invalid'],
  ])('that %s is tried once more, whatever the request, then a 502', async (_what, host) => {
    const gone = await startUpstream('gone')
    await gone.close()
    const proxy = await startProxy({ routes: ROUTES, monolith: gone.url.replace('127.0.0.1', host) })
    started.push(proxy)
    proxy.own('goods', { phase: 'ready' })
    expect((await fetch(`${proxy.url}/api/goods`)).status).toBe(502)
    expect((await post(proxy, { method: 'PUT' })).status).toBe(502)
    // Nothing was sent, so that even a write was tried once more.
    expect(await proxy.parts.metrics.http.registry.metrics()).toContain('proxy_resends_total{why="connection"} 2')
  })
})

describe('a connection for which several addresses were tried', () => {
  it.each([
    ['in vain at each', ['connect', 'connect'], 1],
    ['and of which one may have heard it', ['connect', 'read'], 0],
  ] as const)('%s: a write is sent again so many times', async (_how, syscalls, resends) => {
    const { proxy, monolith } = await house((_req, res) => res.end())
    const errors = syscalls.map((syscall) => Object.assign(new Error('planted'), { syscall }))
    const { agent } = proxy.parts.upstreams.pick('monolith', null)!
    agent.createConnection = () => {
      const socket = new Socket()
      process.nextTick(() => socket.destroy(new AggregateError(errors)))
      return socket
    }
    expect([(await post(proxy, { method: 'PUT' })).status, monolith.seen]).toEqual([502, []])
    const text = await proxy.parts.metrics.http.registry.metrics()
    expect(/proxy_resends_total\{why="connection"\} (\d+)/.exec(text)?.[1] ?? '0').toBe(String(resends))
  })
})

describe('a write that is answered', () => {
  it.each([200, 302, 399, 402, 409, 410, 412, 423, 451, 500, 503])(
    'with %i keeps reads with the owner: it may have been carried out',
    async (status) => {
      const { proxy } = await house((_req, res) => res.writeHead(status).end())
      const answer = await post(proxy, { redirect: 'manual' })
      expect(answer.status).toBe(status)
      expect(answer.headers.get('set-cookie')).toMatch(/^banyan-written-goods=/)
    },
  )

  it.each([400, 401, 403, 404, 405, 406, 408, 411, 413, 414, 415, 416, 421, 422, 428, 429, 431])(
    'with %i leaves them where they are: it was refused',
    async (status) => {
      const { proxy } = await house((_req, res) => res.writeHead(status).end())
      const answer = await post(proxy)
      expect([answer.status, answer.headers.getSetCookie()]).toEqual([status, []])
    },
  )

  it('keeps the reads of all that it writes with their owners, of what is on the move', async () => {
    const { proxy } = await house((_req, res) => res.end())
    const pins = async () =>
      (await post(proxy, {}, '/api/orders')).headers.getSetCookie().map((one) => one.split('=')[0])
    expect(await pins()).toEqual(['banyan-written-goods'])
    proxy.own('orders', { phase: 'following' })
    expect(await pins()).toEqual(['banyan-written-orders', 'banyan-written-goods'])
    proxy.own('goods', { phase: 'completed' })
    expect(await pins()).toEqual(['banyan-written-orders'])
  })
})

describe('a deadline', () => {
  it('is for the first byte: what comes after it takes its time', async () => {
    const began = performance.now()
    const { proxy } = await house((_req, res) => {
      res.writeHead(200, { 'content-length': '10' }).write('half ')
      void until('the deadline is over', () => performance.now() > began + 600).then(() => res.end('whole'))
    })
    const answer = await post(proxy, { method: 'PUT' })
    expect([answer.status, await answer.text()]).toEqual([200, 'half whole'])
  })

  it('begins when a body that is kept has arrived', async () => {
    const { proxy, monolith } = await house((_req, res) => res.end())
    const client = await openRaw(proxy.port)
    const began = performance.now()
    client.write('PUT /api/goods HTTP/1.1\r\nHost: s\r\nContent-Length: 2\r\n\r\n{')
    await until('the deadline would be over', () => performance.now() > began + 400)
    client.write('}')
    await once(client, 'data')
    expect(Number(monolith.seen[0]!.headers['banyan-deadline-ms'])).toBeGreaterThan(200)
    client.destroy()
  })

  it('does not count against the upstream while the client still sends', async () => {
    const { proxy, monolith } = await house((_req, res) => res.end())
    const client = await openRaw(proxy.port)
    const began = performance.now()
    const half = 'x'.repeat(1024 * 1024)
    client.write(`PUT /api/goods HTTP/1.1\r\nHost: s\r\nContent-Length: ${2 * half.length}\r\n\r\n${half}`)
    await until('the deadline is over', () => performance.now() > began + 600)
    client.write(half)
    const [head] = await once(client, 'data')
    expect(String(head)).toContain('HTTP/1.1 200')
    expect(monolith.seen[0]!.body).toHaveLength(2 * half.length)
    client.destroy()
  })
})
