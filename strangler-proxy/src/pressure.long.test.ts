import { once } from 'node:events'
import { Agent, get, type IncomingMessage, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../test-support/raw.ts'
import { startProxy, type TestProxy } from '../test-support/start-proxy.ts'
import { startRawUpstream, type TestUpstream } from '../test-support/upstream.ts'
import { limitsOf } from './listen.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
`
const ABORTS = 10_000
const AT_ONCE = 200

let upstream: TestUpstream
let proxy: TestProxy
let underWay = 0
beforeAll(async () => {
  upstream = await startRawUpstream('upstream', (req, res) => {
    underWay += 1
    res.on('close', () => {
      underWay -= 1
    })
    if (req.url === '/events') res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: first\n\n')
    else if (req.url !== '/silent') res.end('ok')
  })
})
afterAll(() => upstream.close())
beforeEach(async () => {
  proxy = await startProxy({
    routes: ROUTES,
    monolith: upstream.url,
    http: limitsOf({ HEADERS_TIMEOUT_MS: 1_000, REQUEST_TIMEOUT_MS: 2_000, MAX_HEADER_BYTES: 4_096 }),
  })
  return () => proxy.close()
})

const agentSockets = () => {
  const { agent } = proxy.parts.upstreams.groups()[0]!.instances()[0]!
  return Object.values(agent.sockets).flat().length
}
const connections = (server: Server) =>
  new Promise<number>((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  )
const nothingLeft = () =>
  until(
    'nothing is left of them',
    async () => agentSockets() === 0 && underWay === 0 && (await connections(proxy.server)) === 0,
    60_000,
  )

/** Milliseconds of ordinary requests one after the other, sorted. */
async function ordinary(times: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true })
  const taken: number[] = []
  for (let time = 0; time < times; time += 1) {
    const from = performance.now()
    const [answer] = (await once(get(`${proxy.url}/api/goods`, { agent }), 'response')) as [IncomingMessage]
    answer.resume()
    await once(answer, 'end')
    expect(answer.statusCode).toBe(200)
    taken.push(performance.now() - from)
  }
  agent.destroy()
  return taken.sort((a, b) => a - b)
}
/** Milliseconds until the first event of a stream is there, of one stream after the other, sorted. */
async function firstEvents(streams: number): Promise<number[]> {
  const taken: number[] = []
  for (let stream = 0; stream < streams; stream += 1) {
    const from = performance.now()
    const asked = get(`${proxy.url}/events`, { agent: false })
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    expect(String((await once(answer, 'data'))[0])).toBe('data: first\n\n')
    taken.push(performance.now() - from)
    asked.destroy()
  }
  return taken.sort((a, b) => a - b)
}
const middle = (sorted: readonly number[]) => sorted[sorted.length >> 1]!

describe('what clients do to a proxy', () => {
  it(`${ABORTS} that go before they are answered leave no socket, here or at the upstream`, async () => {
    for (let done = 0; done < ABORTS; done += AT_ONCE) {
      await Promise.all(
        Array.from({ length: AT_ONCE }, async (_, index) => {
          const leaving = get(`${proxy.url}/${index % 2 ? 'silent' : 'events'}`, { agent: false })
          leaving.on('error', () => undefined)
          const closed = new Promise((resolve) => leaving.once('close', resolve))
          // Some before the upstream has heard of it, some while it works, some while it answers.
          if (index % 4 === 1)
            leaving.once('socket', (socket: Socket) => socket.once('connect', () => leaving.destroy()))
          else if (index % 2 === 0) leaving.once('response', () => leaving.destroy())
          else setTimeout(() => leaving.destroy(), index % 20)
          await closed
        }),
      )
    }
    await nothingLeft()
    expect(proxy.parts.inFlight.total()).toBe(0)
    expect(proxy.parts.upstreams.groups()[0]!.instances()[0]!.load).toBe(0)
  })

  it('leaves the first event of a stream where it is: it has arrived within 50 ms', async () => {
    await firstEvents(20)
    const taken = await firstEvents(200)
    expect(taken[Math.floor(taken.length * 0.99)]).toBeLessThanOrEqual(50)
    await nothingLeft()
  })

  it('300 open event streams and 300 clients that send a byte now and then delay no ordinary request', async () => {
    await ordinary(200)
    const before = await ordinary(400)
    const streams = await Promise.all(
      Array.from({ length: 300 }, async () => {
        const asked = get(`${proxy.url}/events`, { agent: false })
        const [answer] = (await once(asked, 'response')) as [IncomingMessage]
        await once(answer, 'data')
        return asked
      }),
    )
    const slow = await Promise.all(Array.from({ length: 300 }, dribble))
    const during = await ordinary(400)
    // In one run, on one machine: the middle one takes no more than three times as long, streams and dribblers or not.
    expect(middle(during)).toBeLessThan(3 * middle(before) + 1)
    expect(underWay).toBe(300)
    // Whoever dribbles is cut off at the limit; streams stay as long as they like.
    await until('the slow ones are gone', () => slow.every((one) => one.isClosed()), 60_000)
    expect(slow.map((one) => one.said().slice(0, 12))).toEqual(Array(300).fill('HTTP/1.1 408'))
    expect(underWay).toBe(300)
    for (const one of streams) one.destroy()
    await nothingLeft()
  })
})

async function open() {
  const socket = connect(proxy.port, '127.0.0.1')
  let said = ''
  let closed = false
  socket.on('error', () => undefined)
  socket.on('data', (chunk) => {
    said += chunk
  })
  socket.on('close', () => {
    closed = true
  })
  await once(socket, 'connect')
  return { socket, said: () => said, isClosed: () => closed }
}

/** A header that grows by a byte now and then and never ends. */
async function dribble() {
  const one = await open()
  one.socket.write('GET /api/goods HTTP/1.1\r\nHost: s\r\nX-Slow: ')
  const timer = setInterval(() => one.socket.write('a'), 100)
  one.socket.once('close', () => clearInterval(timer))
  return one
}
