import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { get, request } from 'node:http'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openRaw, until } from '../test-support/raw.ts'
import { startProxy, type TestProxy } from '../test-support/start-proxy.ts'
import { startRawUpstream, type TestUpstream } from '../test-support/upstream.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: POST, path: /api/goods, context: goods, access: write, deadline: 1s }
`
const MIB = 1024 * 1024
const SIZE = 256 * MIB
const BLOCK = randomBytes(MIB)

let upstream: TestUpstream
let proxy: TestProxy
let aborted = 0
beforeAll(async () => {
  upstream = await startRawUpstream('upstream', (req, res) => {
    if (req.url === '/download') {
      res.setHeader('content-length', SIZE)
      let sent = 0
      const more = () => {
        while (sent < SIZE) {
          sent += MIB
          if (!res.write(BLOCK)) return
        }
        res.end()
      }
      res.on('drain', more)
      more()
    } else if (req.url === '/events') {
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      res.write('data: first\n\n')
      req.on('close', () => {
        aborted += 1
      })
    } else if (req.url === '/cookies') {
      res.setHeader('set-cookie', ['a=1; Domain=example.com; Path=/', 'b=2'])
      res.setHeader('connection', 'close, x-hop')
      res.setHeader('x-hop', '1')
      res.setHeader('banyan-other', '1')
      res.end('ok')
    } else if (req.url === '/broken') {
      res.writeHead(200, { 'content-length': '100' }).write('half')
      setImmediate(() => res.destroy())
    } else if (req.url === '/silent') {
      req.resume()
      res.on('close', () => {
        aborted += 1
      })
    } else if (req.url === '/api/goods?echo') {
      const chunks: Buffer[] = []
      req.on('data', (chunk: Buffer) => chunks.push(chunk))
      req.on('end', () => {
        const body = Buffer.concat(chunks)
        res.writeHead(200, { 'content-length': body.length }).end(body)
      })
    } else if (req.url === '/empty') {
      res.writeHead(204).end()
    } else {
      const hash = createHash('sha256')
      req.on('data', (chunk) => hash.update(chunk))
      req.on('end', () => res.end(hash.digest('hex')))
    }
  })
  proxy = await startProxy({ routes: ROUTES, monolith: upstream.url })
})
afterAll(async () => {
  await proxy.close()
  await upstream.close()
})

describe('a proxy process', () => {
  let child: ChildProcess
  let port: number
  const line = async () => String((await once(createInterface({ input: child.stdout! }), 'line'))[0])
  const rss = async () => {
    const answer = line()
    child.stdin!.write('rss\n')
    return Number(await answer)
  }
  beforeAll(async () => {
    const file = new URL('../test-support/proxy-process.ts', import.meta.url).pathname
    child = spawn(process.execPath, [file, ROUTES, upstream.url], { stdio: ['pipe', 'pipe', 'inherit'] })
    port = Number(await line())
  })
  afterAll(() => {
    child.stdin!.end()
  })

  it('passes 256 MiB up and 256 MiB down, unchanged, with a memory that stays small', async () => {
    const whole = createHash('sha256')
    for (let sent = 0; sent < SIZE; sent += MIB) whole.update(BLOCK)
    const expected = whole.digest('hex')
    await (await fetch(`http://127.0.0.1:${port}/api/goods`)).text()
    const before = await rss()

    const up = request({ port, path: '/upload', method: 'POST', headers: { 'content-length': SIZE } })
    for (let sent = 0; sent < SIZE; sent += MIB) if (!up.write(BLOCK)) await once(up, 'drain')
    const answered = once(up, 'response')
    up.end()
    const [answer] = await answered
    let text = ''
    for await (const chunk of answer) text += chunk
    expect(text).toBe(expected)

    const down = createHash('sha256')
    for await (const chunk of (await fetch(`http://127.0.0.1:${port}/download`)).body!) down.update(chunk)
    expect(down.digest('hex')).toBe(expected)
    expect((await rss()) - before).toBeLessThan(64 * MIB)
  }, 60_000)
})

describe('answers', () => {
  it('begin at once: the first event of a stream arrives while the stream is open, and 300 streams delay nobody', async () => {
    const streams = await Promise.all(Array.from({ length: 300 }, () => fetch(`${proxy.url}/events`)))
    const reader = streams[0]!.body!.getReader()
    expect(Buffer.from((await reader.read()).value!).toString()).toBe('data: first\n\n')
    const from = performance.now()
    expect((await fetch(`${proxy.url}/api/goods`)).status).toBe(200)
    expect(performance.now() - from).toBeLessThan(500)
    await reader.cancel()
    await Promise.all(streams.slice(1).map((one) => one.body!.cancel()))
  })

  it.each([1, 256, 4_096, 4_097])('come back byte for byte, as bodies go: %i bytes of every value', async (size) => {
    const sent = Buffer.from(Array.from({ length: size }, (_, index) => 255 - (index % 256)))
    for (const phase of ['idle', 'ready'] as const) {
      proxy.own('goods', { phase })
      const answer = await fetch(`${proxy.url}/api/goods?echo`, { method: 'POST', body: sent })
      expect(Buffer.from(await answer.arrayBuffer()).equals(sent)).toBe(true)
    }
    proxy.own('goods', { phase: 'idle' })
  })

  it('keep their cookies as they are, and lose what belongs to the hop', async () => {
    const answer = await fetch(`${proxy.url}/cookies`)
    expect(answer.headers.getSetCookie()).toEqual(['a=1; Domain=example.com; Path=/', 'b=2'])
    expect(answer.headers.get('x-hop')).toBeNull()
    expect(answer.headers.get('connection')).toBe('keep-alive')
  })

  it('without a body have none, and a HEAD has the length of its GET', async () => {
    expect((await fetch(`${proxy.url}/empty`)).status).toBe(204)
    const head = await fetch(`${proxy.url}/download`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(SIZE)])
  })

  it('that break off break off for the client too', async () => {
    const answer = await fetch(`${proxy.url}/broken`)
    await expect(answer.text()).rejects.toThrow()
  })
})

describe('a client that goes', () => {
  it('takes the upstream’s request with it, at once, while it waits and while it reads', async () => {
    const before = aborted
    for (const path of ['/silent', '/events']) {
      const connection = await openRaw(proxy.port)
      connection.write(`GET ${path} HTTP/1.1\r\nHost: s\r\n\r\n`)
      await until('the request is under way', () => upstream.connections() > 0)
      if (path === '/events') await once(connection, 'data')
      else await new Promise(setImmediate)
      connection.destroy()
    }
    await until('the upstream saw both go', () => aborted >= before + 2, 1_000)
  })

  it('leaves no socket behind, however often', async () => {
    const agentSockets = () => Object.values(proxy.parts.upstreams.pick('monolith', null)!.agent.sockets).flat().length
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(
        Array.from({ length: 50 }, async () => {
          const leaving = get(`${proxy.url}/silent`, { agent: false })
          const closed = new Promise((resolve) => leaving.on('close', resolve))
          leaving.on('error', () => undefined)
          setTimeout(() => leaving.destroy(), 5)
          await closed
        }),
      )
    }
    await until('no socket is in use', () => agentSockets() === 0)
    expect(proxy.parts.inFlight.total()).toBe(0)
  }, 30_000)
})
