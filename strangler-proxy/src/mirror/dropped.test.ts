import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, expect, it } from 'vitest'
import { sendRaw, until } from '../../test-support/raw.ts'
import { startProxy, type TestProxy, type TestProxyOptions } from '../../test-support/start-proxy.ts'
import { startUpstream, type TestUpstream } from '../../test-support/upstream.ts'
import type { OpenComparer } from './comparer-thread.ts'
import { COPIES_AT_MOST } from './mirror.ts'

// Which reads are not mirrored, and what becomes of the room of those that are. No copy is asked here: the thread is
// one that does nothing, or that finds everything alike.

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: POST, path: /api/goods/search, context: goods, access: read }
`
type Answer = (req: IncomingMessage, res: ServerResponse) => void
const deaf: OpenComparer = () => ({ tell: () => true, close: async () => undefined })
const agreeing: OpenComparer = (_data, on) => ({
  tell({ id }) {
    setImmediate(() => on.told({ id, verdict: 'same', sample: null }))
    return true
  },
  close: async () => undefined,
})

let monolith: TestUpstream
let proxy: TestProxy
const start = async (openComparer: OpenComparer, answer: Answer, more: Partial<TestProxyOptions> = {}) => {
  monolith = await startUpstream('monolith', answer)
  const services = { goods: monolith.url }
  proxy = await startProxy({
    routes: ROUTES,
    monolith: monolith.url,
    services,
    shadow: () => true,
    openComparer,
    ...more,
  })
  proxy.own('goods', { phase: 'ready', heartbeatApplied: new Date('2100-01-01') })
}
afterEach(async () => {
  await proxy.close()
  await monolith.close()
})
const ask = (path = '/api/goods', init: RequestInit = {}) => fetch(proxy.url + path, init)
const state = () => proxy.mirror.state('goods')
const says =
  (text: string): Answer =>
  (_req, res) =>
    res.end(text)

it('counts those whose answers still arrive among those that there is room for', async () => {
  const held: ServerResponse[] = []
  await start(deaf, (_req, res) => {
    res.write('{')
    held.push(res)
  })
  const answers = await Promise.all(Array.from({ length: COPIES_AT_MOST + 5 }, () => ask()))
  expect(state().dropped).toEqual({ full: 5 })
  for (const res of held) res.end('}')
  await Promise.all(answers.map((answer) => answer.text()))
  await until('all are copied', () => state().mirrored === COPIES_AT_MOST)
}, 60_000)

it('has room again for as many and as much as was judged', async () => {
  const long = 'x'.repeat(60_000)
  await start(agreeing, says(long))
  // More than may be under way, and more bytes than may wait.
  for (let reads = 0; reads < COPIES_AT_MOST + 5; reads += 1) await (await ask()).text()
  await until('all are judged', () => state().compared === COPIES_AT_MOST + 5)
  expect(state()).toMatchObject({ mirrored: COPIES_AT_MOST + 5, dropped: {} })
}, 60_000)

it.each([
  ['whose owner failed', (_req: IncomingMessage, res: ServerResponse) => void res.writeHead(500).end('{}'), 'answer'],
  [
    'whose answer broke off',
    (_req: IncomingMessage, res: ServerResponse) => {
      // Before its first byte: what has begun shows by itself that it is not whole.
      res.writeHead(200, { 'content-length': 100 }).flushHeaders()
      setImmediate(() => res.destroy())
    },
    'answer',
  ],
] as [string, Answer, 'answer'][])('counts a read %s', async (_what, answer, why) => {
  await start(deaf, answer)
  await ask()
    .then((got) => got.text())
    .catch(() => undefined)
  await until('it is counted', () => state().dropped[why] === 1)
  expect(state().mirrored).toBe(0)
})

it('counts a read whose other side has no instance', async () => {
  await start(deaf, says('{}'), { services: {} })
  await (await ask()).text()
  await until('it is counted', () => state().dropped['no-instance'] === 1)
  expect(state().mirrored).toBe(0)
})

it('counts a read that the thread does not take, which has just broken', async () => {
  await start(() => ({ tell: () => false, close: async () => undefined }), says('{}'))
  await (await ask()).text()
  await until('it is counted', () => state().dropped.broken === 1)
  expect(state().mirrored).toBe(0)
})

it('copies what changes nothing, by its method as well as by its rule, and has no body', async () => {
  await start(deaf, says('{}'))
  await (await ask('/api/goods/search', { method: 'POST', body: '{}' })).text()
  await (await ask('/api/goods/search', { method: 'POST' })).text()
  await sendRaw(proxy.port, 'GET /api/goods HTTP/1.1\r\nHost: s\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}')
  await ask('/api/goods', { method: 'HEAD' })
  await until('the last one is copied', () => state().mirrored > 0)
  expect(state()).toMatchObject({ mirrored: 1, dropped: {} })
})

it('fails no read that it fails at itself', async () => {
  await start(deaf, says('{}'), {
    shadow: () => {
      throw new Error('planted')
    },
  })
  expect((await ask()).status).toBe(200)
})
