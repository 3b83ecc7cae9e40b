import { once } from 'node:events'
import { createHealth } from '@banyan/kit/service'
import { expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { startProxy } from '../test-support/start-proxy.ts'
import { startUpstream } from '../test-support/upstream.ts'
import { readyOnce } from './known.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: POST, path: /api/goods, context: goods, access: write }
`

it('nothing of a context reaches the monolith before ownership was read; what no rule names does', async () => {
  const monolith = await startUpstream('monolith')
  const proxy = await startProxy({ routes: ROUTES, monolith: monolith.url, neverRead: true })
  for (const method of ['GET', 'POST']) {
    const answer = await fetch(`${proxy.url}/api/goods`, { method })
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await answer.json()).toMatchObject({ code: 'owner-unknown' })
  }
  const socket = new WebSocket(`${proxy.url.replace('http', 'ws')}/api/goods`)
  const [, refused] = await once(socket, 'unexpected-response')
  expect(refused.statusCode).toBe(503)
  expect((await fetch(`${proxy.url}/elsewhere`)).status).toBe(200)
  expect(monolith.seen.map((one) => one.url)).toEqual(['/elsewhere'])
  await proxy.close()
  await monolith.close()
})

it('readiness waits for the first read, whenever it is asked for, and is taken back at the end', async () => {
  const known = Promise.withResolvers<void>()
  const health = readyOnce(known.promise, createHealth())
  health.setReady(true)
  expect(health.isReady()).toBe(false)
  known.resolve()
  await known.promise
  expect(health.isReady()).toBe(true)
  health.setReady(false)
  expect(health.isReady()).toBe(false)

  const late = readyOnce(Promise.resolve(), createHealth())
  await Promise.resolve()
  expect(late.isReady()).toBe(false)
  late.setReady(true)
  expect(late.isReady()).toBe(true)
})
