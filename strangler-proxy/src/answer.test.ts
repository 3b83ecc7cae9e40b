import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sendRaw } from '../test-support/raw.ts'
import { startProxy, type TestProxy } from '../test-support/start-proxy.ts'
import { safeHeaders } from './answer.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
`
let upstream: Server
let says: string
let proxy: TestProxy
beforeAll(async () => {
  upstream = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${says}`))
  })
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const { port } = upstream.address() as AddressInfo
  proxy = await startProxy({ routes: ROUTES, monolith: `http://127.0.0.1:${port}` })
})
afterAll(async () => {
  await proxy.close()
  upstream.close()
})

/** What a client reads of an upstream's answer with these lines: its lines, and its body. */
async function answer(lines: string[], version = '1.1') {
  says = [...lines, ...(lines.some((line) => line.includes('chunked')) ? CHUNKED : PLAIN)].join('\r\n')
  const told = await sendRaw(proxy.port, `GET / HTTP/${version}\r\nHost: s\r\nConnection: close\r\n\r\n`)
  const [head = '', ...body] = told.split('\r\n\r\n')
  return { lines: head.toLowerCase().split('\r\n'), body: body.join('\r\n\r\n') }
}
const PLAIN = ['Content-Length: 2', '', 'ok']
const CHUNKED = ['', '2', 'ok', '0', '', '']

it('browsers are told to keep to TLS where that is the only way here, and only there', () => {
  const hsts = ['Strict-Transport-Security', 'max-age=31536000; includeSubDomains']
  expect(safeHeaders({ secure: true })).toContainEqual(hsts)
  expect(safeHeaders({ secure: false }).map(([name]) => name)).not.toContain(hsts[0])
})

describe('of an upstream’s answer', () => {
  it.each([
    'Proxy-Connection: keep-alive',
    'Keep-Alive: timeout=7',
    'Proxy-Authenticate: Basic realm="upstream"',
    'Upgrade: h2c',
    'X-Powered-By: Express',
  ])('"%s" is between it and the proxy', async (line) => {
    const { lines, body } = await answer([line, 'X-Own: 1'])
    expect([lines[0], lines.includes('x-own: 1'), body]).toEqual(['http/1.1 200 ok', true, 'ok'])
    expect(lines.includes(line.toLowerCase())).toBe(false)
  })

  it.each(['X-Hop', 'close, x-hop', 'X-Hop, Keep-Alive', 'x-another ,\tX-HOP'])(
    'what "Connection: %s" names is between it and the proxy',
    async (named) => {
      const { lines, body } = await answer([`Connection: ${named}`, 'X-Hop: 1', 'X-Own: 1'])
      expect([lines[0], lines.includes('x-own: 1'), body]).toEqual(['http/1.1 200 ok', true, 'ok'])
      expect(lines.filter((line) => line.startsWith('x-hop'))).toEqual([])
      expect(lines.filter((line) => line.startsWith('connection:'))).toEqual(['connection: close'])
    },
  )

  it('what it says of how long its connections last is known from its last one', async () => {
    const one = proxy.parts.upstreams.pick('monolith', null)!
    const told = []
    for (const lines of [['Keep-Alive: timeout=7'], []]) {
      await answer(lines)
      told.push(one.keepAlive)
    }
    expect(told).toEqual(['timeout=7', undefined])
  })

  it('a name to ask by is kept, and there is one of them', async () => {
    const { lines } = await answer(['X-Request-ID: theirs'])
    expect(lines.filter((line) => line.startsWith('x-request-id:'))).toEqual(['x-request-id: theirs'])
  })

  it('trailers are not announced, for none are passed on', async () => {
    const { lines, body } = await answer(['Transfer-Encoding: chunked', 'Trailer: X-Sum'])
    expect([lines[0], lines.includes('trailer: x-sum')]).toEqual(['http/1.1 200 ok', false])
    expect(body).toBe('2\r\nok\r\n0\r\n\r\n')
  })

  it('the framing is the proxy’s own: one that reads no chunks gets none', async () => {
    const { lines, body } = await answer(['Transfer-Encoding: chunked'], '1.0')
    expect([lines[0], lines.filter((line) => line.startsWith('transfer-encoding')), body]).toEqual([
      ...['http/1.1 200 ok', [], 'ok'],
    ])
  })
})
