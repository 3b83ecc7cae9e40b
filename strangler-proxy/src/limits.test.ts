import { afterAll, beforeAll, expect, it } from 'vitest'
import { readToTheEnd } from '../test-support/raw.ts'
import { startProxy, type TestProxy } from '../test-support/start-proxy.ts'
import { startUpstream, type TestUpstream } from '../test-support/upstream.ts'
import { limitsOf } from './listen.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
`
let upstream: TestUpstream
let proxy: TestProxy
beforeAll(async () => {
  upstream = await startUpstream('upstream')
  proxy = await startProxy({
    routes: ROUTES,
    monolith: upstream.url,
    http: limitsOf({ HEADERS_TIMEOUT_MS: 500, REQUEST_TIMEOUT_MS: 1_000, MAX_HEADER_BYTES: 4_096 }),
  })
})
afterAll(async () => {
  await proxy.close()
  await upstream.close()
})

it.each([
  ['headers that are too large', 431, `GET /api/goods HTTP/1.1\r\nHost: s\r\nX-A: ${'a'.repeat(5_000)}\r\n\r\n`],
  ['headers that do not come in time', 408, 'GET /api/goods HTTP/1.1\r\nHost: s\r\n'],
  ['a body that does not come in time', 408, 'POST /x HTTP/1.1\r\nHost: s\r\nContent-Length: 10\r\n\r\nfive.'],
])('%s: %i, and the connection is closed', async (_what, status, bytes) => {
  expect(await readToTheEnd(proxy.port, bytes)).toContain(`HTTP/1.1 ${status}`)
  expect(upstream.seen).toEqual([])
})

it('headers have to arrive within their own time, long before all of the request has to', async () => {
  const patient = await startProxy({
    routes: ROUTES,
    monolith: upstream.url,
    http: limitsOf({ HEADERS_TIMEOUT_MS: 500, REQUEST_TIMEOUT_MS: 600_000, MAX_HEADER_BYTES: 4_096 }),
  })
  expect(await readToTheEnd(patient.port, 'GET /api/goods HTTP/1.1\r\nHost: s\r\n')).toContain('HTTP/1.1 408')
  await patient.close()
})
