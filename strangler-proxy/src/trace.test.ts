import { createLogger, startTelemetry, type Telemetry } from '@banyan/kit/service'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OtlpReceiver, startOtlpReceiver } from '../../tests/support/otlp-receiver.ts'
import { until } from '../test-support/raw.ts'
import { startProxy, type TestProxy } from '../test-support/start-proxy.ts'
import { startUpstream, type TestUpstream } from '../test-support/upstream.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods/:id, context: goods, access: read }
  - { method: POST, path: /api/goods, context: goods, access: write }
`
const TRACE_ID = 'a'.repeat(32)
const CLIENT = 'b'.repeat(16)

let collector: OtlpReceiver
let telemetry: Telemetry
let monolith: TestUpstream
let service: TestUpstream
let proxy: TestProxy

beforeAll(async () => {
  collector = await startOtlpReceiver()
  telemetry = await startTelemetry({
    name: 'proxy under test',
    settings: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: 10 },
    logger: createLogger({ name: 'proxy under test', level: 'silent' }),
  })
  monolith = await startUpstream('monolith', (_req, res) => {
    res.writeHead(421, { 'banyan-refused': 'owner=service' }).end()
    proxy.own('goods', { owner: 'service', phase: 'switched' })
  })
  service = await startUpstream('service')
  proxy = await startProxy({ routes: ROUTES, monolith: monolith.url, services: { goods: service.url } })
})
afterAll(async () => {
  for (const one of [proxy, monolith, service, telemetry, collector]) await one.close()
})

test('a request is a span, with one below it for its hold and one for each sending, which its upstream continues', async () => {
  proxy.own('goods', { phase: 'switching', hold: true })
  const answer = fetch(`${proxy.url}/api/goods`, {
    method: 'POST',
    body: '{}',
    headers: { traceparent: `00-${TRACE_ID}-${CLIENT}-01` },
  })
  await until('it waits', () => proxy.parts.hold.stats().waiting === 1)
  proxy.own('goods', { phase: 'switching', hold: false })
  expect((await answer).status).toBe(200)
  await collector.until('the request is over', (spans) => spans.some(({ name }) => name === 'POST /api/goods'))

  const of = (name: string) => collector.spans.find((span) => span.name === name)!
  const [request, hold, refused, done] = ['POST /api/goods', 'hold', 'POST monolith', 'POST service'].map(of)
  expect(collector.spans.map(({ traceId }) => traceId)).toEqual(Array(4).fill(TRACE_ID))
  expect(request).toMatchObject({ parentSpanId: CLIENT, kind: 2, service: 'proxy under test', failed: false })
  expect(request!.attributes).toMatchObject({ 'http.response.status_code': 200, 'banyan.context': 'goods' })
  expect(request!.attributes['banyan.hold_ms']).toBeGreaterThan(0)
  for (const below of [hold, refused, done]) expect(below?.parentSpanId).toBe(request!.spanId)
  expect(hold!.attributes).toEqual({ 'banyan.hold': 'open' })
  expect(refused!.attributes).toMatchObject({
    'banyan.side': 'monolith',
    'banyan.reason': 'write',
    'banyan.outcome': 'refused',
    'http.request.resend_count': 0,
  })
  expect(done!.attributes).toMatchObject({
    'banyan.side': 'service',
    'banyan.outcome': 'answered',
    'http.request.resend_count': 1,
    'http.response.status_code': 200,
  })
  const told = (upstream: TestUpstream) => upstream.seen.at(-1)?.headers.traceparent
  expect(told(monolith)).toBe(`00-${TRACE_ID}-${refused!.spanId}-01`)
  expect(told(service)).toBe(`00-${TRACE_ID}-${done!.spanId}-01`)
})

test('a request without a trace begins one, under its route and never under its path', async () => {
  await fetch(`${proxy.url}/api/goods/7`, { headers: { traceparent: '00-0-0-01' } })
  await collector.until('it is over', (spans) => spans.some(({ name }) => name === 'GET /api/goods/:id'))
  const request = collector.spans.find(({ name }) => name === 'GET /api/goods/:id')
  expect(request).toMatchObject({ parentSpanId: '' })
  expect(request?.traceId).not.toBe(TRACE_ID)
})
