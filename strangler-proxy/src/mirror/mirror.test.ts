import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../../test-support/raw.ts'
import { startProxy, type TestProxy, type TestProxyOptions } from '../../test-support/start-proxy.ts'
import { startUpstream, type TestUpstream } from '../../test-support/upstream.ts'
import type { OpenComparer } from './comparer-thread.ts'
import { COPIES_AT_MOST } from './mirror.ts'

const ROUTES = `
contexts: { goods: goods-service }
personal: [nickname]
differences:
  - { at: $.headers.x-build, operation: GET /api/goods, ignore: true, reason: Each side has a build of its own., until: 2100-01-01 }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: GET, path: /api/goods/:id, context: goods, access: read }
  - { method: POST, path: /api/goods, context: goods, access: write }
  - { method: GET, path: /api/goods/export, context: goods, access: write }
`
type Answer = (req: IncomingMessage, res: ServerResponse) => void
const json =
  (value: unknown): Answer =>
  (_req, res) =>
    res.setHeader('content-type', 'application/json').end(JSON.stringify(value))
/** A heartbeat that no question is later than. */
const CAUGHT_UP = new Date('2100-01-01')
const KETTLE = { id: 7, name: 'Kettle' }

let monolith: TestUpstream
let service: TestUpstream
let proxy: TestProxy
let beat: NodeJS.Timeout | undefined
let says: { monolith: Answer; service: Answer }
let shadow: boolean

const start = async (more: Partial<TestProxyOptions> = {}) => {
  monolith = await startUpstream('monolith', (req, res) => says.monolith(req, res))
  service = await startUpstream('service', (req, res) => says.service(req, res))
  const services = { goods: service.url }
  proxy = await startProxy({ routes: ROUTES, monolith: monolith.url, services, shadow: () => shadow, ...more })
  proxy.own('goods', { phase: 'ready', heartbeatApplied: CAUGHT_UP })
}
/** As the mover does, four times a second: all that the owner had a moment ago is on the other side. */
const keepUp = () => {
  beat = setInterval(() => proxy.own('goods', { heartbeatApplied: new Date() }), 20)
}
const ask = (path = '/api/goods', init: RequestInit = {}) => fetch(proxy.url + path, init)
const state = () => proxy.mirror.state('goods')
const judged = (verdicts: object) =>
  until(
    `verdicts ${JSON.stringify(verdicts)}`,
    () => JSON.stringify(state().verdicts) === JSON.stringify(verdicts),
    30_000,
  )
const copies = () => service.seen.filter(({ headers }) => headers['banyan-mirrored'] === 'true')

beforeEach(() => {
  shadow = true
  says = { monolith: json(KETTLE), service: json(KETTLE) }
})
afterEach(async () => {
  clearInterval(beat)
  await proxy.close()
  await monolith.close()
  await service.close()
})

describe('the mirror', () => {
  it('sends nothing while its flag is off, and from then on a marked copy of safe reads alone', async () => {
    await start()
    shadow = false
    for (let reads = 0; reads < 5; reads++) await ask()
    shadow = true
    await ask('/api/goods', { method: 'POST', body: '{}' })
    await ask('/api/goods/export')
    await ask('/elsewhere')
    const headers = { authorization: 'Bearer planted', 'banyan-mirrored': 'true', 'x-user-id': '1' }
    expect(await (await ask('/api/goods?size=2', { headers })).json()).toEqual(KETTLE)
    await judged({ same: 1 })
    expect(service.seen).toHaveLength(1)
    expect(service.seen[0]).toMatchObject({ method: 'GET', url: '/api/goods?size=2' })
    expect(service.seen[0]!.headers).toMatchObject({ authorization: 'Bearer planted', 'banyan-mirrored': 'true' })
    expect(service.seen[0]!.headers).not.toHaveProperty('x-user-id')
    // The mark is ours: what a client says of it reaches nobody, and the owner is asked twice.
    const asked = monolith.seen.filter(({ url }) => url === '/api/goods?size=2')
    expect(asked.map((one) => one.headers['banyan-mirrored'])).toEqual([undefined, 'true'])
    expect(state()).toMatchObject({ mirrored: 1, dropped: {}, compared: 1, mismatched: 0, waitsFor: null })
  })

  it('copies only after the answer went out whole', async () => {
    await start()
    const gate = Promise.withResolvers<void>()
    says.monolith = async (req, res) => {
      res.setHeader('content-type', 'application/json').write('{"id":')
      if (req.url === '/api/goods/slow') await gate.promise
      res.end('7}')
    }
    says.service = json({ id: 7 })
    const slow = await ask('/api/goods/slow')
    await ask('/api/goods/quick')
    await judged({ same: 1 })
    expect(copies().map(({ url }) => url)).toEqual(['/api/goods/quick'])
    gate.resolve()
    await slow.text()
    await judged({ same: 2 })
  })

  it.each([
    ['hangs', () => undefined],
    ['breaks', (req: IncomingMessage) => void req.socket.destroy()],
    ['fails', (_req: IncomingMessage, res: ServerResponse) => void res.writeHead(500).end()],
  ] as [string, Answer][])('touches no answer when the other side %s', async (_what, answer) => {
    await start()
    says.service = answer
    const answers: unknown[] = []
    for (let reads = 0; reads < 30; reads++) answers.push(await (await ask()).json())
    expect(answers).toEqual(Array.from({ length: 30 }, () => KETTLE))
    // All of them went out while not one copy had been judged alike.
    await until('all are copied', () => state().mirrored === 30)
    expect(state().mismatched).toBe(0)
    expect(state().verdicts.same).toBeUndefined()
  })

  it('drops what there is no room for, and counts it', async () => {
    const deaf: OpenComparer = () => ({ tell: () => true, close: async () => undefined })
    await start({ openComparer: deaf })
    for (let reads = 0; reads < COPIES_AT_MOST + 5; reads++) expect(await (await ask()).json()).toEqual(KETTLE)
    await until('all are counted', () => state().mirrored + (state().dropped.full ?? 0) === COPIES_AT_MOST + 5)
    expect(state()).toMatchObject({ mirrored: COPIES_AT_MOST, dropped: { full: 5 } })
    expect(await proxy.parts.metrics.http.registry.metrics()).toContain(
      'proxy_mirror_dropped_total{context="goods",reason="full"} 5',
    )
  })

  it('bounds the bytes that wait, too, and copies no answer that is longer than is compared', async () => {
    const deaf: OpenComparer = () => ({ tell: () => true, close: async () => undefined })
    await start({ openComparer: deaf })
    says.monolith = json({ text: 'x'.repeat(70_000) })
    await (await ask()).text()
    await until('it is counted', () => state().dropped.size === 1)
    says.monolith = json({ text: 'x'.repeat(65_000) })
    const asked = 140
    for (let reads = 0; reads < asked; reads++) await (await ask()).text()
    await until('all are counted', () => state().mirrored + (state().dropped.full ?? 0) === asked)
    expect(state().mirrored).toBe(Math.floor((8 * 1024 * 1024) / JSON.stringify({ text: 'x'.repeat(65_000) }).length))
  })

  it.each([
    ['following', { phase: 'following' }, 'not-in-step'],
    ['switching', { phase: 'switching' }, 'not-in-step'],
    ['behind its bound', { heartbeatApplied: new Date(Date.now() - 6_000) }, 'behind'],
    ['never heard of', { heartbeatApplied: null }, 'behind'],
  ] as const)('compares nothing while the other side is %s, and says so', async (_what, change, why) => {
    await start()
    proxy.own('goods', change)
    await ask()
    await until('it is counted', () => state().dropped[why] === 1)
    expect(state()).toMatchObject({ mirrored: 0, waitsFor: why })
    proxy.own('goods', { phase: 'switched', owner: 'service', heartbeatApplied: CAUGHT_UP })
    await ask()
    await judged({ same: 1 })
    expect(state()).toMatchObject({ mirrored: 1, waitsFor: null })
    expect(service.seen.map(({ headers }) => headers['banyan-mirrored'])).toEqual([undefined, 'true'])
  })

  it('goes on without its thread when that breaks, and counts what was lost', async () => {
    let broke: () => void = () => undefined
    const breaking: OpenComparer = (_data, on) => {
      broke = on.broke
      return { tell: () => true, close: async () => undefined }
    }
    await start({ openComparer: breaking })
    await ask()
    await until('it is handed over', () => state().mirrored === 1)
    broke()
    expect(state().dropped).toEqual({ broken: 1 })
    expect((await ask()).status).toBe(200)
  })
})

describe('what it finds', () => {
  it('is sampled with both answers, masked, when it stays; never one body of somebody in clear', async () => {
    await start()
    const said = { ...KETTLE, nickname: 'planted-nick', email: 'planted@example.test', token: 'planted-token' }
    says.monolith = (_req, res) =>
      res
        .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip', 'x-build': 'one' })
        .end(gzipSync(JSON.stringify({ ...said, priceCents: 1999 })))
    says.service = (_req, res) =>
      res
        .writeHead(200, {
          'content-type': 'application/json',
          'x-build': 'two',
          'set-cookie': 'crumb=planted-crumb',
        })
        .end(JSON.stringify({ ...said, priceCents: 19.99 }))
    const headers = {
      authorization: 'Bearer planted-bearer',
      cookie: 'jar=planted-jam',
      accept: 'application/json',
    }
    await ask('/api/goods?email=planted%40example.test', { headers })
    await judged({ mismatch: 1 })
    const [sample, ...more] = proxy.mirror.samples.list('goods')
    expect(more).toEqual([])
    expect(JSON.stringify(sample)).not.toContain('planted')
    expect(sample).toMatchObject({ route: 'GET /api/goods', method: 'GET', owner: 'monolith', signedIn: true })
    expect(sample!.differences).toEqual([
      {
        path: '$.cookies.crumb',
        kind: 'extra',
        left: undefined,
        right: { value: expect.stringContaining('‹') },
      },
      { path: '$.body.priceCents', kind: 'value', left: 1999, right: 19.99 },
    ])
    expect(sample!.answers.owner).toMatchObject({ status: 200, body: { ...KETTLE, priceCents: 1999 } })
    expect(state()).toMatchObject({ compared: 1, mismatched: 1, routes: [{ route: 'GET /api/goods', mismatched: 1 }] })
    expect(await proxy.parts.metrics.http.registry.metrics()).toContain(
      'proxy_mirror_compared_total{context="goods",route="GET /api/goods",verdict="mismatch"} 1',
    )
  })

  it('is not what the owner varies by itself in; of that the form is compared all the same', async () => {
    await start()
    let count = 0
    const varying =
      (asText: boolean): Answer =>
      (_req, res) => {
        count += 1
        json({ ...KETTLE, served: asText ? `${count} times` : count })(_req, res)
      }
    says = { monolith: varying(false), service: varying(false) }
    for (let reads = 0; reads < 20; reads++) await ask()
    await judged({ noise: 20 })
    says.service = varying(true)
    await ask()
    await judged({ noise: 20, mismatch: 1 })
    expect(proxy.mirror.samples.list()[0]!.differences.map(({ path, kind }) => `${path} ${kind}`)).toEqual([
      '$.body.served type',
    ])
  })

  it('is no mismatch when it heals once the other side has caught up', async () => {
    await start({ maxLagMs: 60_000 })
    proxy.own('goods', { heartbeatApplied: new Date() })
    let behind = true
    says.service = (req, res) => json(behind ? { ...KETTLE, name: 'Pot' } : KETTLE)(req, res)
    await ask()
    await until('the copy is asked', () => copies().length === 1)
    // A heartbeat of before, and then one that the mover inserted after the owner was asked.
    behind = false
    keepUp()
    await judged({ healed: 1 })
    expect(proxy.mirror.samples.list()).toEqual([])
  })

  it('waits for a heartbeat inserted after the owner was asked before it asks again', async () => {
    await start({ maxLagMs: 60_000 })
    proxy.own('goods', { heartbeatApplied: new Date() })
    says.service = json({ ...KETTLE, name: 'Pot' })
    await ask()
    await until('the copy is asked', () => copies().length === 1)
    await until('the owner is asked again', () => monolith.seen.length === 2)
    // What the proxy is told of here was inserted before: whatever was asked again now could still be late.
    proxy.own('goods', { heartbeatApplied: new Date() })
    await ask('/api/goods/another')
    await until('another copy is asked', () => copies().length === 2)
    await ask('/api/goods/a-third')
    await until('a third copy is asked', () => copies().length === 3)
    expect(copies().map(({ url }) => url)).toEqual(['/api/goods', '/api/goods/another', '/api/goods/a-third'])
    keepUp()
    await judged({ mismatch: 3 })
  })

  it('is compared the same way when the service had answered the client', async () => {
    await start({ flag: () => true })
    says.service = json({ ...KETTLE, name: 'Pot' })
    expect(await (await ask()).json()).toMatchObject({ name: 'Pot' })
    await judged({ mismatch: 1 })
    expect(proxy.mirror.samples.list()[0]!.answers).toMatchObject({
      owner: { body: { name: 'Kettle' } },
      other: { body: { name: 'Pot' } },
    })
  })
})
