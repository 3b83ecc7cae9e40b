import { once } from 'node:events'
import type { Server } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { until } from '../test-support/raw.ts'
import { startProxy } from '../test-support/start-proxy.ts'
import { startUpstream } from '../test-support/upstream.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: GET, path: /api/goods/soon, context: goods, access: read, deadline: 200ms }
`

const connections = (server: Server) =>
  new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)))

/** A proxy in front of a service that owns everything for good, and of this monolith. */
async function inTheEnd(monolith: string | null, services = true) {
  const service = await startUpstream('service')
  const proxy = await startProxy({ routes: ROUTES, monolith, services: services ? { goods: service.url } : {} })
  proxy.own('goods', { phase: 'completed', owner: 'service' })
  onTestFinished(async () => {
    await proxy.close()
    await service.close()
  })
  return proxy
}

it('once the monolith is gone, rules are answered on, and nobody is asked about what no rule names', async () => {
  const proxy = await inTheEnd(null)
  expect((await fetch(`${proxy.url}/api/goods`)).status).toBe(200)
  const answer = await fetch(`${proxy.url}/elsewhere`, { method: 'POST', body: 'x' })
  expect([answer.status, answer.headers.get('content-type')]).toEqual([404, 'application/problem+json'])
  expect(await answer.json()).toMatchObject({ status: 404, code: 'not-found' })
  const [, refused] = await once(new WebSocket(`${proxy.url.replace('http', 'ws')}/elsewhere`), 'unexpected-response')
  expect(refused.statusCode).toBe(404)
})

it('what the proxy refuses it says as the services do: by type, trace and request', async () => {
  const proxy = await inTheEnd(null)
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const answer = await fetch(`${proxy.url}/elsewhere?x=1`, { headers: { traceparent, 'x-request-id': 'r-1' } })
  expect(answer.headers.get('x-request-id')).toBe('r-1')
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
  expect(await answer.json()).toMatchObject({
    type: 'urn:banyan:problem:not-found',
    instance: '/elsewhere',
    traceId: '0af7651916cd43dd8448eb211c80319c',
  })
  const unclean = await fetch(`${proxy.url}//elsewhere`, {
    headers: { traceparent: 'mine', 'x-request-id': 'two words' },
  })
  expect(unclean.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}-[0-9a-z]+$/)
  expect(await unclean.json()).toMatchObject({ code: 'bad-target', traceId: expect.stringMatching(/^[0-9a-f]{32}$/) })
})

it('a monolith that was stopped before the proxy was told so is named as the reason', async () => {
  const stopped = await startUpstream('monolith')
  await stopped.close()
  const proxy = await inTheEnd(stopped.url)
  expect((await fetch(`${proxy.url}/api/goods`)).status).toBe(200)
  const answer = await fetch(`${proxy.url}/elsewhere`)
  expect(await answer.json()).toMatchObject({ status: 502, code: 'unrouted-unreachable' })
})

describe('a service that is in no table', () => {
  it('is waited for: one that comes up within two seconds answers', async () => {
    const service = await startUpstream('service')
    onTestFinished(() => service.close())
    const proxy = await inTheEnd(null, false)
    const asked = fetch(`${proxy.url}/api/goods`)
    await until('it is waited for', async () => (await connections(proxy.server)) > 0)
    proxy.parts.upstreams.setService('goods', [service.url])
    expect((await asked).status).toBe(200)
  })

  it.each([
    ['two seconds', '/api/goods', 1_950, 3_900],
    ['its deadline', '/api/goods/soon', 150, 1_900],
  ])('is waited for no longer than %s', async (_what, path, least, most) => {
    const proxy = await inTheEnd(null, false)
    const from = performance.now()
    const answer = await fetch(proxy.url + path)
    const ms = performance.now() - from
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await answer.json()).toMatchObject({ code: 'no-instance' })
    expect([ms > least, ms < most], `${ms} ms`).toEqual([true, true])
  })
})
