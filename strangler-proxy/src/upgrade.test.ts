import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { promisify } from 'node:util'
import { createTokenVerifier } from '@banyan/kit/service'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { openRaw, sendRaw, until } from '../test-support/raw.ts'
import { OVERRIDE_KEY, startProxy, type TestProxy } from '../test-support/start-proxy.ts'
import { startUpstream, type TestUpstream } from '../test-support/upstream.ts'
import { signOverride } from './override.ts'
import { createSigner } from './sign.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /live, context: goods, access: read }
  - { method: GET, path: /mute, context: goods, access: read, deadline: 200ms }
  - { method: GET, path: /mine, context: goods, access: read, auth: required }
  - { method: GET, path: /changes, context: goods, access: write }
`
let proxy: TestProxy
const upstreams: TestUpstream[] = []
const handshakes: { name: string; url: string | undefined; headers: Record<string, unknown> }[] = []

async function backend(name: string): Promise<TestUpstream> {
  const upstream = await startUpstream(name)
  const sockets = new WebSocketServer({ server: upstream.server, path: '/live' })
  sockets.on('connection', (socket, req) => {
    handshakes.push({ name, url: req.url, headers: req.headers })
    socket.on('message', (message) => socket.send(`${name}: ${message}`))
  })
  upstreams.push(upstream)
  return upstream
}
beforeAll(async () => {
  const monolith = await backend('monolith')
  const service = await backend('service')
  proxy = await startProxy({ routes: ROUTES, monolith: monolith.url, services: { goods: service.url } })
})
afterAll(async () => {
  await proxy.close()
  for (const one of upstreams) await one.close()
})
const talk = async (headers: Record<string, string> = {}, path = '/live', through = proxy) => {
  const socket = new WebSocket(through.url.replace('http', 'ws') + path, { headers })
  await once(socket, 'open')
  socket.send('hello')
  const [message] = await once(socket, 'message')
  return { socket, said: String(message) }
}

const asked = (port: number, path: string, headers = '') =>
  sendRaw(
    port,
    `GET ${path} HTTP/1.1\r\nHost: s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n${headers}\r\n`,
  )

describe('a WebSocket', () => {
  it('goes to the side that the decision names, on the first connection, and to that side alone', async () => {
    const first = await talk()
    proxy.own('goods', { phase: 'switched', owner: 'service' })
    const second = await talk()
    proxy.own('goods', { phase: 'ready', owner: 'monolith' })
    const third = await talk({ 'banyan-side': signOverride('service', createSigner(OVERRIDE_KEY)) })
    expect([first.said, second.said, third.said]).toEqual(['monolith: hello', 'service: hello', 'service: hello'])
    expect(handshakes.map((one) => one.name)).toEqual(['monolith', 'service', 'service'])
    for (const { socket } of [first, second, third]) socket.terminate()
    await until('the backends saw them go', () => upstreams.every((one) => one.connections() === 0))
  })

  it('is stripped like any request', async () => {
    const { socket } = await talk(
      { 'x-user-id': '1', 'x-forwarded-for': '6.6.6.6', expect: 'x', x_user: '1' },
      '/%6Cive',
    )
    const { url, headers } = handshakes.at(-1)!
    expect(url).toBe('/live')
    expect(headers['x-user-id'] ?? headers.x_user ?? headers.expect).toBeUndefined()
    expect(headers['x-forwarded-for']).toBe('127.0.0.1')
    socket.terminate()
  })

  it('tells its upstream for how long its answer is waited for, whatever the client says', async () => {
    const table = ROUTES.replace('path: /live, context: goods, access: read', '$&, deadline: 7s')
    const other = await startProxy({ routes: table, monolith: upstreams[0]!.url })
    for (const through of [other, proxy])
      (await talk({ 'banyan-deadline-ms': '1' }, '/live', through)).socket.terminate()
    expect(handshakes.slice(-2).map(({ headers }) => headers['banyan-deadline-ms'])).toEqual(['7000', '30000'])
    await other.close()
  })

  it.each([
    ['/internal/live', 404],
    ['//live', 400],
    ['/x/%2e%2e/live', 400],
    ['/elsewhere', 400],
  ])('to %s is refused with %i', async (path, status) => {
    expect(await asked(proxy.port, path)).toContain(`HTTP/1.1 ${status}`)
  })

  it('needs the token that its rule requires', async () => {
    const verifier = createTokenVerifier({ issuer: 'x', audience: 'x', typ: 'at+jwt', jwks: { keys: [] } })
    const other = await startProxy({ routes: ROUTES, monolith: upstreams[0]!.url, verifier })
    const without = await asked(other.port, '/mine')
    expect(without).toMatch(/^HTTP\/1\.1 401 .*\r\nwww-authenticate: Bearer\r\n.*"code":"authentication-required"/s)
    const forged = await asked(other.port, '/mine', 'Authorization: Bearer garbage\r\n')
    expect(forged).toMatch(/^HTTP\/1\.1 401 .*\r\nwww-authenticate: Bearer error="invalid_token"\r\n.*"invalid-token"/s)
    await other.close()
  })

  it('is not opened for a page of an origin that the table does not name', async () => {
    const table = ROUTES.replace('routes:', 'cors: { origins: ["https://www.shop.example"] }\nroutes:')
    const other = await startProxy({ routes: table, monolith: upstreams[0]!.url })
    const before = handshakes.length
    for (const origin of ['https://evil.example', 'https://www.shop.example.evil.example', 'null', 'nonsense'])
      expect(await asked(other.port, '/live', `Origin: ${origin}\r\n`), origin).toMatch(
        /^HTTP\/1\.1 403 .*"foreign-origin"/s,
      )
    expect(handshakes).toHaveLength(before)
    // Who names none is no browser, and the host's own pages are never of another origin.
    for (const origin of [undefined, 'https://www.shop.example', `http://127.0.0.1:${other.port}`]) {
      const { socket } = await talk(origin === undefined ? {} : { origin }, '/live', other)
      socket.terminate()
    }
    await other.close()
    // Where the table does not say who may call, that is the upstreams' to say.
    const { socket } = await talk({ origin: 'https://evil.example' })
    expect(handshakes.at(-1)!.headers.origin).toBe('https://evil.example')
    socket.terminate()
  })

  it('that writes is not begun while what it writes is held', async () => {
    proxy.own('goods', { phase: 'switching', hold: true })
    const held = await asked(proxy.port, '/changes')
    proxy.own('goods', { phase: 'ready', hold: false })
    expect(held).toMatch(/^HTTP\/1\.1 503 .*\r\nretry-after: 1\r\n.*"context-moving"/s)
  })

  it('to an upstream that is gone is a 502', async () => {
    const gone = await startUpstream('gone')
    await gone.close()
    const other = await startProxy({ routes: ROUTES, monolith: gone.url })
    const socket = new WebSocket(`${other.url.replace('http', 'ws')}/live`)
    const [, response] = await once(socket, 'unexpected-response')
    expect(response.statusCode).toBe(502)
    await other.close()
  })

  it('that its upstream never answers is a 504 at the end of the deadline of its route', async () => {
    const mute = createServer((socket) => socket.resume().on('error', () => undefined))
    mute.listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const other = await startProxy({
      routes: ROUTES,
      monolith: `http://127.0.0.1:${(mute.address() as AddressInfo).port}`,
    })
    const socket = new WebSocket(`${other.url.replace('http', 'ws')}/mute`)
    const [, response] = await once(socket, 'unexpected-response', { signal: AbortSignal.timeout(3_000) })
    expect(response.statusCode).toBe(504)
    await until('the upstream is let go', () =>
      promisify(mute.getConnections.bind(mute))().then((count) => count === 0),
    )
    await other.close()
    mute.close()
  })

  it('that is let through a breaker to see tells it at once that its upstream answers, however long it stays', async () => {
    const other = await startProxy({ routes: ROUTES, monolith: upstreams[0]!.url })
    const one = other.parts.upstreams.pick('monolith', null)!
    for (let time = 0; time < 20; time += 1) one.group.enter(one, true)?.heard(502)
    one.downUntil = Number.NEGATIVE_INFINITY
    expect(one.group.isUp()).toBe(false)
    expect(await asked(other.port, '/live')).toMatch(/^HTTP\/1\.1 503 .*"upstream-failing"/s)
    await until('the breaker lets one through', () => one.group.isUp())
    const { socket } = await talk({}, '/live', other)
    expect(one.group.isUp()).toBe(true)
    socket.terminate()
    await other.close()
  })

  it('that its upstream refuses with nothing done is a 503 of our own; another answer does not tell who gave it', async () => {
    let refusal: Record<string, string> = { 'banyan-refused': 'not-owner' }
    const refusing = await startUpstream('refusing', (_req, res) => {
      res.writeHead(421, { ...refusal, 'x-powered-by': 'it' }).end('no')
    })
    const other = await startProxy({ routes: ROUTES, monolith: refusing.url })
    const refused = await asked(other.port, '/live')
    expect(refused).toMatch(/^HTTP\/1\.1 503 .*\r\nretry-after: 1\r\n.*"context-moving"/s)
    refusal = {}
    const answered = await asked(other.port, '/live')
    expect(`${refused}${answered}`).not.toMatch(/banyan-refused|x-powered-by/i)
    expect(answered).toMatch(/^HTTP\/1\.1 421 .*\r\n\r\n.*no/s)
    await other.close()
    await refusing.close()
  })

  it('with a body is refused: nobody is made to wait for one that is not passed on', async () => {
    const before = upstreams[0]!.seen.length
    const answer = await asked(proxy.port, '/mute', 'Content-Type: application/json\r\nContent-Length: 5\r\n')
    expect(answer).toMatch(/^HTTP\/1\.1 400 .*"bad-request"/s)
    expect(upstreams[0]!.seen.length).toBe(before)
  })

  it('whose client leaves before the answer says nothing of its upstream, and is under way no more', async () => {
    const mute = createServer((socket) => socket.resume().on('error', () => undefined))
    mute.listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const monolith = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`
    const checks: (() => void)[] = []
    const verify = () => new Promise<{ sub: string }>((resolve) => checks.push(() => resolve({ sub: '1' })))
    const other = await startProxy({ routes: ROUTES, monolith, verifier: { known: () => undefined, verify } })
    const one = other.parts.upstreams.pick('monolith', null)!
    const begin = async (path: string, headers = '') => {
      const client = await openRaw(other.port)
      client.write(
        `GET ${path} HTTP/1.1\r\nHost: s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n${headers}\r\n`,
      )
      return client
    }
    const clients = await Promise.all(Array.from({ length: 30 }, () => begin('/live')))
    await until('all are on their way', () => one.load === 30)
    for (const client of clients) client.resetAndDestroy()
    await until('none is', () => one.load === 0)
    expect([one.group.isUp(), one.failures]).toEqual([true, 0])
    const checked = await begin('/mine', 'Authorization: Bearer x\r\n')
    await until('its token is looked at', () => checks.length === 1)
    checked.resetAndDestroy()
    await until('its end is seen', () =>
      promisify(other.server.getConnections.bind(other.server))().then((n) => n === 0),
    )
    checks[0]!()
    await new Promise((resolve) => setImmediate(resolve))
    expect(one.load).toBe(0)
    await other.close()
    mute.close()
  })

  it('whose upstream breaks off ends without another word', async () => {
    const breaks = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
        socket.once('data', () => socket.resetAndDestroy())
      })
    })
    breaks.listen(0, '127.0.0.1')
    await once(breaks, 'listening')
    const monolith = `http://127.0.0.1:${(breaks.address() as AddressInfo).port}`
    const other = await startProxy({ routes: ROUTES, monolith })
    const client = await openRaw(other.port)
    let said = ''
    client.on('data', (chunk) => {
      said += chunk.toString()
      if (said.endsWith('\r\n\r\n')) client.write('hello')
    })
    client.write(
      'GET /live HTTP/1.1\r\nHost: s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    )
    await once(client, 'close')
    expect(said.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 101'])
    await other.close()
    breaks.close()
  })

  it('is what every upgrade is taken for by an older Node: any other is refused there, and not passed on', async () => {
    const { url } = upstreams[0]!
    const other = await startProxy({ routes: ROUTES, monolith: url, takesEveryUpgrade: true })
    const before = handshakes.length
    const answer = await sendRaw(
      other.port,
      'GET /live HTTP/1.1\r\nHost: s\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
    )
    expect(answer).toContain('HTTP/1.1 501')
    expect(handshakes.length).toBe(before)
    await other.close()
  })

  it('is the only upgrade there is: any other is answered as the plain request it also is', async () => {
    const answer = await sendRaw(
      proxy.port,
      'GET /plain HTTP/1.1\r\nHost: s\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n',
    )
    expect(answer).toContain('HTTP/1.1 200')
    const seen = upstreams[0]!.seen.at(-1)!
    expect(seen.headers.upgrade ?? seen.headers['http2-settings']).toBeUndefined()
  })
})
