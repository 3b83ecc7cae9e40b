import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startProxy, type TestProxy } from '../test-support/start-proxy.ts'
import { startUpstream, type TestUpstream } from '../test-support/upstream.ts'
import { createProxyMetrics } from './metrics.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: POST, path: /api/goods, context: goods, access: write }
`
let monolith: TestUpstream
let service: TestUpstream
let proxy: TestProxy
let side = 'monolith'

beforeAll(async () => {
  monolith = await startUpstream('monolith')
  service = await startUpstream('service', (req, res) => {
    if (req.url === '/api/goods?cut') req.socket.destroy()
    else res.writeHead(req.url === '/api/goods?fail' ? 500 : 404).end()
  })
  const { url } = monolith
  proxy = await startProxy({
    ...{ routes: ROUTES, monolith: url, services: { goods: service.url } },
    flag: () => side === 'service',
  })
  proxy.own('goods', { phase: 'ready' })
})
afterAll(async () => {
  await proxy.close()
  await monolith.close()
  await service.close()
})

describe('the metrics of reads', () => {
  it('count per context and side what was answered and what failed, each sending by itself, and no writes', async () => {
    await fetch(`${proxy.url}/api/goods`)
    await fetch(`${proxy.url}/api/goods`, { method: 'POST' })
    side = 'service'
    for (const query of ['', '?fail', '?cut']) await fetch(`${proxy.url}/api/goods${query}`)
    const text = await proxy.parts.metrics.http.registry.metrics()
    const counts = text.match(/proxy_read_duration_seconds_count.*/g)
    // What was cut is sent there once more, for the connection had been used before; then to the other side.
    expect(counts?.sort()).toEqual([
      'proxy_read_duration_seconds_count{context="goods",side="monolith",result="ok"} 2',
      'proxy_read_duration_seconds_count{context="goods",side="service",result="failed"} 3',
      'proxy_read_duration_seconds_count{context="goods",side="service",result="ok"} 1',
    ])
  })
})

describe('the metrics of answers', () => {
  it('count them by side and kind, and tell how long they and the reads among them took', async () => {
    side = 'monolith'
    const before = await proxy.parts.metrics.http.registry.metrics()
    const from = performance.now()
    await fetch(`${proxy.url}/api/goods`)
    await fetch(`${proxy.url}/elsewhere`)
    side = 'service'
    await fetch(`${proxy.url}/api/goods`)
    const seconds = (performance.now() - from) / 1_000
    const after = await proxy.parts.metrics.http.registry.metrics()
    const grown = (line: RegExp) => {
      const [old, now] = [before, after].map((text) => Number(line.exec(text)?.[1] ?? 0))
      return now! - old!
    }
    expect(grown(/^proxy_request_duration_seconds_count\{side="monolith",status="2xx"\} (\d+)$/m)).toBe(2)
    expect(grown(/^proxy_request_duration_seconds_count\{side="service",status="4xx"\} (\d+)$/m)).toBe(1)
    // One after the other, so that they took no longer than all of it.
    for (const [what, labels] of [
      ['request', 'side="monolith",status="2xx"'],
      ['read', 'context="goods",side="monolith",result="ok"'],
    ]) {
      const took = grown(new RegExp(`^proxy_${what}_duration_seconds_sum\\{${labels}\\} (\\S+)$`, 'm'))
      expect([took > 0, took <= seconds], `${what}: ${took} of ${seconds} s`).toEqual([true, true])
    }
  })
})

describe('everything that the proxy decides', () => {
  it('is exported once it has happened, under the names that dashboards ask for, and what was never heard of as endlessly old', async () => {
    const metrics = createProxyMetrics({
      inFlight: () => 2,
      held: () => 3,
      holdLastsMs: () => 2_500,
      staleMs: () => 4_000,
      flagsStaleMs: () => Number.POSITIVE_INFINITY,
      leaseValid: () => false,
      groups: () => proxy.parts.upstreams.groups(),
    })
    const goods = { side: 'service', context: 'goods' } as const
    metrics.decided({ side: 'service', reason: 'share' }, 'goods')
    metrics.answered('service', 204, 20)
    metrics.read('goods', 'service', { kind: 'answered', status: 200 }, 20)
    metrics.resent('timeout')
    metrics.retryDenied()
    metrics.refused('rate-limited')
    metrics.limited('account')
    metrics.ejected(goods, 'health')
    metrics.breaker(goods, 'open')
    metrics.paused(20)
    metrics.holdEnded('full')
    metrics.recorded('written')
    metrics.mirror.mirrored('goods')
    metrics.mirror.dropped('goods', 'full')
    metrics.mirror.judged('goods', 'GET /api/goods', 'mismatch')
    const lines = (await metrics.http.registry.metrics()).split('\n')
    expect(lines.filter((line) => /^proxy_(?!.*_(bucket|sum)\b)/.test(line)).sort()).toEqual([
      'proxy_breaker_changes_total{side="service",context="goods",to="open"} 1',
      'proxy_decisions_total{side="service",reason="share",context="goods"} 1',
      'proxy_ejections_total{side="service",context="goods",why="health"} 1',
      'proxy_flags_stale_seconds +Inf',
      'proxy_hold_pause_seconds_count 1',
      'proxy_hold_seconds 2.5',
      'proxy_holds_total{how="full"} 1',
      'proxy_instances{side="monolith",context="",state="ejected"} 0',
      'proxy_instances{side="monolith",context="",state="unhealthy"} 0',
      'proxy_instances{side="monolith",context="",state="up"} 1',
      'proxy_instances{side="service",context="goods",state="ejected"} 0',
      'proxy_instances{side="service",context="goods",state="unhealthy"} 0',
      'proxy_instances{side="service",context="goods",state="up"} 1',
      'proxy_lease_valid 0',
      'proxy_mirror_compared_total{context="goods",route="GET /api/goods",verdict="mismatch"} 1',
      'proxy_mirror_dropped_total{context="goods",reason="full"} 1',
      'proxy_mirrored_total{context="goods"} 1',
      'proxy_ownership_stale_seconds 4',
      'proxy_rate_limited_total{by="account"} 1',
      'proxy_read_duration_seconds_count{context="goods",side="service",result="ok"} 1',
      'proxy_recorded_total{what="written"} 1',
      'proxy_refusals_total{code="rate-limited"} 1',
      'proxy_request_duration_seconds_count{side="service",status="2xx"} 1',
      'proxy_requests_held 3',
      'proxy_requests_in_flight 2',
      'proxy_resends_total{why="timeout"} 1',
      'proxy_retries_denied_total 1',
    ])
  })
})
