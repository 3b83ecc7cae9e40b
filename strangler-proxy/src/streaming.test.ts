import { once } from 'node:events'
import { get } from 'node:http'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MIB, passLargeBodies } from '../test-support/large-bodies.ts'
import { openRaw, until } from '../test-support/raw.ts'
import { startProxy, type TestProxy } from '../test-support/start-proxy.ts'
import { startRawUpstream, type TestUpstream } from '../test-support/upstream.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: POST, path: /api/goods, context: goods, access: write, deadline: 1s }
`
const LENGTH = 256 * MIB
/** More than what systems keep for a client between the two of them. */
const PLENTY = 32 * MIB

let upstream: TestUpstream
let proxy: TestProxy
let aborted = 0
beforeAll(async () => {
  upstream = await startRawUpstream('upstream', (req, res) => {
    if (req.url === '/long') {
      res.writeHead(200, { 'content-length': LENGTH }).end()
    } else if (req.url === '/events') {
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      res.write('data: first\n\n')
      req.on('close', () => {
        aborted += 1
      })
    } else if (req.url === '/plenty') {
      res.writeHead(200, { 'content-length': PLENTY }).end(Buffer.alloc(PLENTY, 'x'))
      res.on('close', () => {
        if (!res.writableFinished) aborted += 1
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
    } else if (req.url === '/slow') {
      res.writeHead(200, { 'content-length': PLENTY + 4 })
      res.write(Buffer.alloc(PLENTY, 'x'), () => setTimeout(() => res.end('last'), 2_500))
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
      req.resume().on('end', () => res.end('ok'))
    }
  })
  proxy = await startProxy({ routes: ROUTES, monolith: upstream.url })
})
afterAll(async () => {
  await proxy.close()
  await upstream.close()
})

it('passes 256 MiB up and 256 MiB down, unchanged, with a memory that stays small', async () => {
  const { sent, up, down, grownBytes } = await passLargeBodies(ROUTES, 256 * MIB)
  expect([up, down]).toEqual([sent, sent])
  expect(grownBytes).toBeLessThan(64 * MIB)
}, 60_000)

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
    const head = await fetch(`${proxy.url}/long`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(LENGTH)])
  })

  it('that break off break off for the client too', async () => {
    const answer = await fetch(`${proxy.url}/broken`)
    await expect(answer.text()).rejects.toThrow()
  })
})

describe('a client that goes', () => {
  it('takes the upstream’s request with it, at once, while it waits and while it reads', async () => {
    const before = aborted
    const resent = async () => (await proxy.parts.metrics.http.registry.metrics()).match(/^proxy_resends_total.*$/gm)
    const resentBefore = await resent()
    for (const path of ['/silent', '/events']) {
      const connection = await openRaw(proxy.port)
      connection.write(`GET ${path} HTTP/1.1\r\nHost: s\r\n\r\n`)
      await until('the request is under way', () => upstream.connections() > 0)
      if (path === '/events') await once(connection, 'data')
      else await new Promise(setImmediate)
      connection.destroy()
    }
    await until('the upstream saw both go', () => aborted >= before + 2, 1_000)
    // It failed at nothing: nobody is asked once more, and no budget is spent.
    expect(await resent()).toEqual(resentBefore)
  })

  it.each([
    ['by taking nothing of what it asked for', ['/plenty'], (client: Socket) => client.pause()],
    ['by an answer that waits for another', ['/silent', '/plenty'], (client: Socket) => client.resume()],
  ])('in all but name keeps nothing of an upstream: %s', async (_how, paths, behave) => {
    const impatient = await startProxy({ routes: ROUTES, monolith: upstream.url, untakenMs: 100 })
    const before = aborted
    const connection = await openRaw(impatient.port)
    behave(connection).on('error', () => undefined)
    connection.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: s\r\n\r\n`).join(''))
    await until('the upstream saw all of it go', () => aborted === before + paths.length)
    connection.destroy()
    await impatient.close()
  })

  it('is not one that took what there was and waits for more', async () => {
    const impatient = await startProxy({ routes: ROUTES, monolith: upstream.url, untakenMs: 2_000 })
    const answer = await fetch(`${impatient.url}/slow`)
    expect((await answer.text()).slice(-5)).toBe('xlast')
    await impatient.close()
  }, 20_000)

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
