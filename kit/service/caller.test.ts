import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type Caller, createCaller, createContextClient, createLogger, runInContext } from './index.ts'
import type { Side } from './refusal.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
type Handle = (req: IncomingMessage, res: ServerResponse, nth: number) => void
let open: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of open) await close()
  open = []
})

async function callee(handle: Handle) {
  const seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = []
  const server = createServer(async (req, res) => {
    let body = ''
    for await (const part of req) body += part
    seen.push({ method: req.method!, url: req.url!, headers: req.headers, body })
    handle(req, res, seen.length)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(async () => {
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

function caller(baseUrl: string, more: Partial<Parameters<typeof createCaller>[0]> = {}): Caller {
  const made = createCaller({ baseUrl, name: 'callee', deadlineMs: 2_000, logger, ...more })
  open.unshift(() => made.close())
  return made
}

const json = (res: ServerResponse, status: number, body: unknown, headers = {}) =>
  res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
const refuse = (res: ServerResponse, status: 421 | 503) =>
  json(res, status, {}, { 'banyan-refused': status === 421 ? 'not-owner' : 'fenced', 'retry-after': '1' })

describe('a caller', () => {
  it('sends JSON with identity, idempotency key and the request’s trace', async () => {
    const { url, seen } = await callee((_req, res) => json(res, 201, { id: 1 }))
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const signer = { sign: async (audience: string) => `for-${audience}` }
    const answer = await runInContext({ requestId: 'r-1', traceparent }, () =>
      caller(url, { signer }).call({ method: 'post', path: '/x?y=1', body: { a: 1 }, idempotencyKey: 'k' }),
    )
    expect(answer).toMatchObject({ status: 201, body: { id: 1 } })
    expect(seen[0]).toMatchObject({ method: 'POST', url: '/x?y=1', body: '{"a":1}' })
    expect(seen[0]?.headers).toMatchObject({
      authorization: 'Bearer for-callee',
      'idempotency-key': 'k',
      'x-request-id': 'r-1',
      traceparent: expect.stringMatching(`^00-${'a'.repeat(32)}-(?!${'b'.repeat(16)})[0-9a-f]{16}-01$`),
    })
  })

  it('reuses its connections', async () => {
    const ports = new Set<number | undefined>()
    const { url } = await callee((req, res) => {
      ports.add(req.socket.remotePort)
      json(res, 200, {})
    })
    const one = caller(url)
    for (let i = 0; i < 20; i++) await one.call({ method: 'GET', path: '/' })
    expect(ports.size).toBeLessThanOrEqual(2)
  })

  it.each([
    ['broke off', 'refused by the owner', (res: ServerResponse) => refuse(res, 421), 'Ambiguous'],
    ['broke off', 'refused by the fence', (res: ServerResponse) => refuse(res, 503), 'Ambiguous'],
    ['broke off', 'turned down', (res: ServerResponse) => json(res, 409, { code: 'out-of-stock' }), 'Ambiguous'],
    ['said that it is unclear', 'refused by the fence', (res: ServerResponse) => refuse(res, 503), 504],
  ] as const)('a first attempt that %s stays open when the next one is %s', async (first, _next, then, left) => {
    const { url, seen } = await callee((req, res, nth) => {
      if (nth > 1) return then(res)
      return first === 'broke off' ? req.socket.destroy() : json(res, 504, { code: 'unclear' })
    })
    const call = caller(url).call({ method: 'POST', path: '/', idempotencyKey: 'k' })
    const told = await call.then(
      ({ status }) => status,
      (error: Error) => error.name,
    )
    expect([told, seen.length]).toEqual([left, 2])
  })

  it('a first attempt that broke off stays open when the callee is gone after it', async () => {
    let gone: Promise<void> | undefined
    const server = createServer((req) => {
      gone = new Promise((resolve) => server.close(() => resolve()))
      req.socket.destroy()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const made = caller(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    const call = made.call({ method: 'POST', path: '/', idempotencyKey: 'k' })
    await expect(call).rejects.toMatchObject({ name: 'Ambiguous' })
    await gone
  })

  it.each([
    ['a GET', { method: 'GET', path: '/' }],
    ['a POST with an idempotency key', { method: 'POST', path: '/', idempotencyKey: 'k' }],
  ])('tries %s again when the connection breaks', async (_what, call) => {
    const { url, seen } = await callee((req, res, nth) => (nth < 3 ? req.socket.destroy() : json(res, 200, { nth })))
    expect((await caller(url).call(call)).body).toEqual({ nth: 3 })
    expect(seen).toHaveLength(3)
  })

  it('never sends a bare POST again when the connection breaks: it may have been done', async () => {
    const { url, seen } = await callee((req) => req.socket.destroy())
    await expect(caller(url).call({ method: 'POST', path: '/' })).rejects.toMatchObject({ name: 'Ambiguous' })
    expect(seen).toHaveLength(1)
  })

  it('never sends a bare POST again after a 503 without the header that promises that nothing was done', async () => {
    const { url, seen } = await callee((_req, res) => json(res, 503, {}))
    expect((await caller(url).call({ method: 'POST', path: '/' })).status).toBe(503)
    expect(seen).toHaveLength(1)
  })

  it('returns the last answer when every attempt was unavailable', async () => {
    const { url, seen } = await callee((_req, res) => json(res, 503, {}))
    expect((await caller(url).call({ method: 'GET', path: '/' })).status).toBe(503)
    expect(seen.length).toBeGreaterThan(1)
  })

  it('says that nothing was sent when nobody listens, after having tried again', async () => {
    let asked = 0
    const nowhere = () => {
      asked++
      return 'http://127.0.0.1:1'
    }
    const call = caller('', { baseUrl: nowhere }).call({ method: 'POST', path: '/' })
    await expect(call).rejects.toMatchObject({ name: 'NotSent', reason: 'unreachable' })
    expect(asked).toBeGreaterThan(1)
  })

  it('ends at its deadline', async () => {
    const { url, seen } = await callee(() => undefined)
    const started = performance.now()
    await expect(caller(url).call({ method: 'GET', path: '/', deadlineMs: 150 })).rejects.toMatchObject({
      name: 'Timeout',
    })
    expect(performance.now() - started).toBeLessThan(1_000)
    expect(seen).toHaveLength(1)
  })

  it('raises the load of a total outage by no more than a fifth', async () => {
    const broken = await callee((req) => req.socket.destroy())
    const one = caller(broken.url)
    const calls = Array.from({ length: 19 }, () => one.call({ method: 'GET', path: '/' }).catch(() => undefined))
    await Promise.all(calls)
    expect(broken.seen.length).toBeLessThanOrEqual(19 + Math.ceil(19 * 0.2))
  })

  it('stops sending when half of twenty calls failed, and tries one a second later', async () => {
    let well = false
    const { url, seen } = await callee((_req, res) => json(res, well ? 200 : 503, {}))
    const one = caller(url)
    for (let i = 0; i < 25; i++) await one.call({ method: 'POST', path: '/' }).catch(() => undefined)
    await expect(one.call({ method: 'POST', path: '/' })).rejects.toMatchObject({
      name: 'NotSent',
      reason: 'breaker-open',
    })
    expect(seen.length).toBeLessThanOrEqual(21)
    well = true
    const deadline = performance.now() + 5_000
    while (performance.now() < deadline) {
      const answer = await one.call({ method: 'POST', path: '/' }).catch(() => undefined)
      if (answer?.status === 200) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect.unreachable('the breaker never closed')
  })

  it('refusals do not open the breaker: they are answers of a healthy callee', async () => {
    const { url, seen } = await callee((_req, res) => refuse(res, 503))
    const one = caller(url)
    for (let i = 0; i < 30; i++) expect((await one.call({ method: 'POST', path: '/' })).status).toBe(503)
    expect(seen).toHaveLength(30)
  })
})

describe('a context client', () => {
  async function client(handles: Record<Side, Handle>, owner: { now: Side; next: Side }) {
    const [monolith, service] = [await callee(handles.monolith), await callee(handles.service)]
    const made = createContextClient({
      context: 'inventory',
      sides: { monolith: caller(monolith.url), service: caller(service.url) },
      currentOwner: () => owner.now,
      refresh: async () => {
        owner.now = owner.next
      },
    })
    return { made, monolith, service }
  }
  const well: Handle = (_req, res) => json(res, 200, {})

  it('asks the other side when the first is not the owner any more, a bare POST too', async () => {
    const owner: { now: Side; next: Side } = { now: 'monolith', next: 'service' }
    const { made, monolith, service } = await client(
      { monolith: (_req, res) => refuse(res, 421), service: well },
      owner,
    )
    expect((await made.call({ method: 'POST', path: '/', body: { a: 1 } })).status).toBe(200)
    expect(monolith.seen).toHaveLength(1)
    expect(service.seen).toEqual([expect.objectContaining({ method: 'POST', body: '{"a":1}' })])
  })

  it('asks again while the context is fenced, until it is open', async () => {
    const owner: { now: Side; next: Side } = { now: 'service', next: 'service' }
    const service: Handle = (_req, res, nth) => (nth < 4 ? refuse(res, 503) : json(res, 200, { nth }))
    const { made } = await client({ monolith: well, service }, owner)
    const started = performance.now()
    expect((await made.call({ method: 'POST', path: '/' })).body).toEqual({ nth: 4 })
    expect(performance.now() - started).toBeLessThan(1_000)
  })

  it('returns the refusal at its deadline', async () => {
    const owner: { now: Side; next: Side } = { now: 'service', next: 'service' }
    const { made } = await client({ monolith: well, service: (_req, res) => refuse(res, 503) }, owner)
    const started = performance.now()
    expect((await made.call({ method: 'POST', path: '/', deadlineMs: 300 })).status).toBe(503)
    expect(performance.now() - started).toBeLessThan(1_000)
  })

  it('does not send again what was not refused', async () => {
    const owner: { now: Side; next: Side } = { now: 'service', next: 'monolith' }
    const { made, monolith, service } = await client(
      { monolith: well, service: (_req, res) => json(res, 503, {}) },
      owner,
    )
    expect((await made.call({ method: 'POST', path: '/' })).status).toBe(503)
    expect(service.seen).toHaveLength(1)
    expect(monolith.seen).toHaveLength(0)
  })

  it('goes on to the new owner when the old one is gone, and says so when there is no new one', async () => {
    const service = await callee(well)
    const owner: { now: Side; next: Side } = { now: 'monolith', next: 'service' }
    const made = createContextClient({
      context: 'inventory',
      sides: { monolith: caller('http://127.0.0.1:1'), service: caller(service.url) },
      currentOwner: () => owner.now,
      refresh: async () => {
        owner.now = owner.next
      },
    })
    expect((await made.call({ method: 'POST', path: '/' })).status).toBe(200)
    owner.now = owner.next = 'monolith'
    await expect(made.call({ method: 'POST', path: '/' })).rejects.toMatchObject({ reason: 'unreachable' })
    expect(service.seen).toHaveLength(1)
  })

  it('says when the owner is this very process', async () => {
    const made = createContextClient({
      context: 'inventory',
      sides: {},
      currentOwner: () => 'monolith',
      refresh: async () => undefined,
    })
    const call = made.call({ method: 'GET', path: '/' })
    await expect(call).rejects.toMatchObject({ name: 'NotSent', reason: 'owner-is-here' })
  })
})
