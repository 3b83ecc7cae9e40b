import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startProxy, type TestProxy } from '../test-support/start-proxy.ts'
import { startUpstream, type TestUpstream } from '../test-support/upstream.ts'

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
