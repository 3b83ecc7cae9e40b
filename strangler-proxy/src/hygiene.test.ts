import { once } from 'node:events'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openRaw, sendRaw, until } from '../test-support/raw.ts'
import { startProxy, type TestProxy } from '../test-support/start-proxy.ts'
import { startUpstream, type TestUpstream } from '../test-support/upstream.ts'
import { KEPT_BYTES } from './body.ts'
import { parseRoutes } from './routes/parse.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: POST, path: /api/goods, context: goods, access: write, limits: { body: 1kb } }
  - { method: POST, path: /api/pictures, context: goods, access: write, limits: { body: 1200kb } }
`
let proxy: TestProxy
let monolith: TestUpstream
const get = (headers: string, target = '/api/goods') =>
  sendRaw(proxy.port, `GET ${target} HTTP/1.1\r\nHost: shop.example\r\n${headers}Connection: close\r\n\r\n`)
const status = (answer: string) => Number(answer.slice(9, 12))

beforeAll(async () => {
  monolith = await startUpstream('monolith')
  proxy = await startProxy({ routes: ROUTES, monolith: monolith.url })
})
beforeEach(() => {
  monolith.seen.length = 0
})
afterAll(async () => {
  await proxy.close()
  await monolith.close()
})

describe('what a client may not say', () => {
  it.each([
    'X-User-Id: 1',
    'x-user-role: admin',
    'X_User_Id: 1',
    'x-user_id: 1',
    'X-Authenticated-User: root',
    'X-Internal-Token: a',
    'Remote-User: root',
    'Forwarded: for=10.0.0.1',
    'X-Real-IP: 10.0.0.1',
    'X-Original-URL: /internal/reservations',
    'X-HTTP-Method-Override: DELETE',
    'Banyan-Side: service; forged',
    'Banyan-Refused: fenced',
    'Proxy-Authorization: Basic eA==',
    'TE: trailers',
    'Keep-Alive: timeout=99',
    'Proxy-Connection: keep-alive',
    'traceparent: nonsense',
  ])('"%s" never reaches the upstream', async (line) => {
    await get(`${line}\r\n`)
    const [name, value] = line.toLowerCase().split(': ')
    expect(monolith.seen).toHaveLength(1)
    // The proxy's own connection to the upstream has a Keep-Alive of its own, and a trace begins where there is none.
    expect(monolith.seen[0]!.headers[name!]).not.toBe(value)
    if (name !== 'keep-alive' && name !== 'traceparent') expect(monolith.seen[0]!.headers).not.toHaveProperty([name!])
  })

  it('is stripped from requests with Expect too, on routes and off them', async () => {
    for (const target of ['/api/goods', '/somewhere/else']) {
      await sendRaw(
        proxy.port,
        `POST ${target} HTTP/1.1\r\nHost: s\r\nX-User-Id: 1\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
      )
    }
    expect(monolith.seen.map((one) => one.body)).toEqual(['{}', '{}'])
    for (const one of monolith.seen) {
      expect(one.headers['x-user-id']).toBeUndefined()
      expect(one.headers.expect).toBeUndefined()
    }
  })

  it('drops headers named by Connection, but not those that carry the request', async () => {
    await sendRaw(
      proxy.port,
      'GET /api/goods HTTP/1.1\r\nHost: s\r\nAuthorization: Bearer x\r\nX-Hop: 1\r\nConnection: close, X-Hop, Authorization, X-Forwarded-For\r\n\r\n',
    )
    const { headers } = monolith.seen[0]!
    expect(headers['x-hop']).toBeUndefined()
    expect(headers.authorization).toBe('Bearer x')
    expect(headers['x-forwarded-for']).toBe('127.0.0.1')
  })

  it('rebuilds X-Forwarded-For from the peer, and keeps only what trusted proxies added', async () => {
    await get('X-Forwarded-For: 6.6.6.6, 7.7.7.7\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\n')
    expect(monolith.seen[0]!.headers).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': 'shop.example',
      'x-forwarded-proto': 'http',
    })
    const behind = await startProxy({ routes: ROUTES, monolith: monolith.url, trustedHops: 1 })
    await sendRaw(
      behind.port,
      'GET / HTTP/1.1\r\nHost: s\r\nX-Forwarded-For: 6.6.6.6, 7.7.7.7\r\nConnection: close\r\n\r\n',
    )
    await behind.close()
    expect(monolith.seen[1]!.headers['x-forwarded-for']).toBe('7.7.7.7, 127.0.0.1')
    const behindTwo = await startProxy({ routes: ROUTES, monolith: monolith.url, trustedHops: 2 })
    await sendRaw(
      behindTwo.port,
      'GET / HTTP/1.1\r\nHost: s\r\nX-Forwarded-For: 6.6.6.6, 7.7.7.7, , 8.8.8.8\r\nConnection: close\r\n\r\n',
    )
    await behindTwo.close()
    expect(monolith.seen[2]!.headers['x-forwarded-for']).toBe('7.7.7.7, 8.8.8.8, 127.0.0.1')
  })

  it.each([
    [0, 'https', 'http'],
    [1, 'https', 'https'],
    [1, 'http', 'http'],
    [1, 'https, http', 'http'],
    [2, 'http, https, http', 'https'],
    [2, 'https', 'https'],
    [1, 'wss', 'http'],
    [1, '', 'http'],
  ])('tells from %i trusted proxies that say "%s" that the client came by %s', async (trustedHops, said, told) => {
    const behind = await startProxy({ routes: ROUTES, monolith: monolith.url, trustedHops })
    const head = `GET / HTTP/1.1\r\nHost: s\r\nX-Forwarded-Proto: ${said}\r\nConnection: close\r\n\r\n`
    await sendRaw(behind.port, head)
    await behind.close()
    expect(monolith.seen.at(-1)!.headers['x-forwarded-proto']).toBe(told)
  })

  it('passes a well-formed trace and request id on, and makes one where there is none', async () => {
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await get(`traceparent: ${trace}\r\ntracestate: vendor=1\r\nX-Request-Id: order-12345678\r\n`)
    await get('X-Request-Id: two words\r\n')
    expect(monolith.seen[0]!.headers).toMatchObject({
      ...{ traceparent: trace, tracestate: 'vendor=1', 'x-request-id': 'order-12345678' },
    })
    expect(monolith.seen[1]!.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}-[0-9a-z]+$/)
    expect(monolith.seen[1]!.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  })
})

it.each(['a'.repeat(64), 'A.b_c-9'])('the name %s of a request is its name everywhere', async (id) => {
  expect(await get(`X-Request-Id: ${id}\r\n`)).toContain(`\r\nX-Request-Id: ${id}\r\n`)
  expect(monolith.seen[0]!.headers['x-request-id']).toBe(id)
})

it.each(['a'.repeat(65), 'two words', 'one;two', '<b>', '"one"', 'ünë', 'one\r\nX-Request-Id: two'])(
  'the name %j of a request is nobody’s, and another one takes its place',
  async (id) => {
    const [, given] = /\r\nX-Request-Id: (.*)\r\n/.exec(await get(`X-Request-Id: ${id}\r\n`)) ?? []
    expect(given).toMatch(/^[0-9a-f-]{36}-[0-9a-z]+$/)
    expect(monolith.seen[0]!.headers['x-request-id']).toBe(given)
  },
)

it.each([
  'nonsense',
  `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
  `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`,
  `01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01`,
  `00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01`,
  `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more`,
  `x00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01`,
])('the trace %s is another one from here on, and what vendors said of it is gone', async (trace) => {
  await get(`traceparent: ${trace}\r\ntracestate: vendor=1\r\n`)
  const { headers } = monolith.seen[0]!
  expect(headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  expect(headers.traceparent!.slice(3, 35)).not.toBe(trace.slice(3, 35))
  expect(headers.tracestate).toBeUndefined()
})

describe('what a table says for all of its rules, and off them', () => {
  let strict: TestProxy
  beforeAll(async () => {
    strict = await startProxy({
      routes: `limits: { body: 1kb }\nhosts: [shop.example, "*.shop.example"]${ROUTES.replace(
        'routes:',
        'routes:\n  - { method: PUT, path: /api/goods, context: goods, access: write }',
      )}`,
      monolith: monolith.url,
    })
  })
  afterAll(() => strict.close())
  const send = (method: string, target: string, bytes: number) =>
    sendRaw(
      strict.port,
      `${method} ${target} HTTP/1.1\r\nHost: shop.example\r\nContent-Length: ${bytes}\r\nConnection: close\r\n\r\n${'x'.repeat(bytes)}`,
    )

  it('a body has its limit where its rule names none, and where no rule names it', async () => {
    expect(status(await send('PUT', '/api/goods', 1_025))).toBe(413)
    expect(status(await send('POST', '/elsewhere', 1_025))).toBe(413)
    expect(monolith.seen).toEqual([])
    for (const [method, target, bytes] of [
      ['PUT', '/api/goods', 1_024],
      ['POST', '/elsewhere', 1_024],
      // A rule's own is its own.
      ['POST', '/api/pictures', 1_025],
    ] as const)
      expect(status(await send(method, target, bytes))).toBe(200)
  })

  const named = (line: string) =>
    sendRaw(strict.port, `GET /api/goods HTTP/1.1\r\n${line}\r\nConnection: close\r\n\r\n`)
  it.each(['shop.example', 'SHOP.Example:8080', 'a.shop.example', 'a.b.shop.example:443'])(
    'the host %s is one of ours',
    async (host) => {
      expect(status(await named(`Host: ${host}`))).toBe(200)
      expect(monolith.seen[0]!.headers['x-forwarded-host']).toBe(host)
    },
  )
  it.each([
    'evil.example',
    'shop.example.evil.example',
    'xshop.example',
    '.shop.example',
    '*.shop.example',
    'evil.example/.shop.example',
    'evil.example:80#.shop.example',
    'shop.example@evil.example',
    '[::1]',
    '',
  ])('the host "%s" is not, and the upstream sees nothing', async (host) => {
    const answer = await named(`Host: ${host}`)
    expect([status(answer), answer.includes('"unknown-host"')]).toEqual([400, true])
    expect(monolith.seen).toEqual([])
  })

  it.each(['Shop.example', 'shop.example:80', 'https://shop.example', '*shop.example'])(
    'a table that names the host %s is refused',
    (host) => {
      expect(() => parseRoutes(`hosts: ["${host}"]${ROUTES}`, 'routes.yaml')).toThrow(
        'routes.yaml:1: hosts[0]: must be a host in lower case such as shop.example',
      )
    },
  )
})

describe('requests that two servers could read differently', () => {
  it.each([
    ['Content-Length with Transfer-Encoding', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n'],
    ['Transfer-Encoding with Content-Length', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n'],
    ['two codings', 'Transfer-Encoding: gzip, chunked\r\n'],
    ['two Transfer-Encodings', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n'],
    ['an unknown coding', 'Transfer-Encoding: xchunked\r\n'],
    ['two lengths', 'Content-Length: 4\r\nContent-Length: 5\r\n'],
    ['a length that is a list', 'Content-Length: 4, 4\r\n'],
    ['a negative length', 'Content-Length: -1\r\n'],
    ['a folded header', 'X-A: 1\r\n folded\r\nContent-Length: 0\r\n'],
    ['a space before the colon', 'Content-Length : 4\r\n'],
    ['two hosts', 'Host: other.example\r\nContent-Length: 0\r\n'],
  ])('%s: 400, and the upstream sees nothing', async (_what, lines) => {
    const answer = await sendRaw(
      proxy.port,
      `POST /api/goods HTTP/1.1\r\nHost: s\r\n${lines}Connection: close\r\n\r\n0\r\n\r\nGET /internal HTTP/1.1\r\nHost: s\r\n\r\n`,
    )
    expect(status(answer)).toBe(400)
    expect(monolith.seen).toEqual([])
  })

  it.each([
    '//api/goods',
    '/api//goods',
    '/api/./goods',
    '/x/../api/goods',
    '/x/%2e%2e/internal/reservations',
    '/x/%2E./internal',
    '/x/.%2e/internal',
    '/api%2fgoods',
    '/api%5cgoods',
    '/api\\goods',
    '/api/goods%00',
    '/api/goods%0d%0aX-User-Id:1',
    '/api/%zz',
    '/api/%4',
    '/api/goods#x',
    'http://shop.example/internal/reservations',
    '*',
  ])('the target "%s": 400, and the upstream sees nothing', async (target) => {
    expect(status(await get('', target))).toBe(400)
    expect(monolith.seen).toEqual([])
  })

  it('spells an escaped letter plainly, for the decision and for the upstream alike', async () => {
    await get('', '/%61pi/g%6Fods?q=%61')
    expect(monolith.seen[0]!.url).toBe('/api/goods?q=%61')
    expect(status(await get('', '/%69nternal/reservations'))).toBe(404)
  })

  it.each(['/internal/reservations', '/INTERNAL/x', '/metrics', '/health/live', '/Health'])(
    '%s does not exist in public',
    async (target) => {
      const answer = await get('', target)
      expect(status(answer)).toBe(404)
      expect(answer).toContain('application/problem+json')
      expect(monolith.seen).toEqual([])
    },
  )

  it('speaks the usual methods only', async () => {
    const answer = await sendRaw(proxy.port, 'TRACE /api/goods HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n')
    expect(status(answer)).toBe(405)
    expect(await sendRaw(proxy.port, 'CONNECT example.com:80 HTTP/1.1\r\nHost: s\r\n\r\n')).toBe('')
    expect(monolith.seen).toEqual([])
  })

  it('keeps the framing of a GET with a chunked body', async () => {
    await sendRaw(
      proxy.port,
      'GET /api/goods HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    )
    expect(monolith.seen.map((one) => [one.method, one.body])).toEqual([['GET', 'hello']])
  })

  it.each(['idle', 'ready'] as const)('refuses a body over the limit, announced or counted: %s', async (phase) => {
    proxy.own('goods', { phase })
    const big = 'x'.repeat(2048)
    const announced = await sendRaw(
      proxy.port,
      `POST /api/goods HTTP/1.1\r\nHost: s\r\nContent-Length: 2048\r\n\r\n${big}`,
    )
    const counted = await sendRaw(
      proxy.port,
      `POST /api/goods HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n${big}\r\n0\r\n\r\n`,
    )
    // Longer than what is kept to be sent again: it would stream.
    const endless = await sendRaw(
      proxy.port,
      `POST /api/goods HTTP/1.1\r\nHost: s\r\nContent-Length: ${2 * KEPT_BYTES}\r\n\r\n`,
    )
    // Longer than what is kept, and too long only after that: not ended, so that all that was sent has been read.
    const length = 1200 * 1024 + 1
    const late = await sendRaw(
      proxy.port,
      `POST /api/pictures HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n${length.toString(16)}\r\n${'x'.repeat(length)}`,
    )
    proxy.own('goods', { phase: 'idle' })
    expect([announced, counted, endless, late].map(status)).toEqual([413, 413, 413, 413])
    // As the sides behind it call it: a client may have it of either.
    expect(String(announced)).toContain('"title":"Content Too Large"')
    expect(monolith.seen).toEqual([])
  })

  it('lets go of the upstream when a body turns out too long, though its client stays and says nothing more', async () => {
    const length = 1200 * 1024 + 1
    const client = await openRaw(proxy.port)
    client.write('POST /api/pictures HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n')
    client.write(`${length.toString(16)}\r\n${'x'.repeat(length)}`)
    const [answer] = await once(client, 'data')
    expect(status(String(answer))).toBe(413)
    const { agent } = proxy.parts.upstreams.pick('monolith', null)!
    await until('no connection is in use', () => Object.values(agent.sockets).flat().length === 0)
    client.destroy()
  })
})
