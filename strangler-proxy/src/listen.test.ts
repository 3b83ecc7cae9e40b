import { createHealth, createLogger, readConfig } from '@banyan/kit/service'
import express from 'express'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { freePorts } from '../../compose/embedded/ports.ts'
import { readToTheEnd } from '../test-support/raw.ts'
import { proxyConfig } from './config.ts'
import { listen } from './listen.ts'

// What the listeners are told by the configuration; the proxy behind them only says that it was asked.

const order: string[] = []
let served: Awaited<ReturnType<typeof listen>>
let opsUrl: string
beforeEach(async () => {
  order.length = 0
  const [opsPort] = (await freePorts(1)) as [number]
  opsUrl = `http://127.0.0.1:${opsPort}`
  const config = readConfig(proxyConfig, {
    ...{ PORT: '0', OPS_PORT: String(opsPort), LOG_LEVEL: 'silent', ROUTES: 'routes.yaml' },
    ...{
      CONTROL_DATABASE_URL: 'postgres://127.0.0.1/none',
      UNLEASH_URL: 'http://127.0.0.1:9/api',
      UNLEASH_TOKEN: 'none',
    },
    ...{ MONOLITH_URL: 'none', COOKIE_KEY: 'a cookie key for tests', OVERRIDE_KEY: 'an override key for tests' },
    OPS_TOKEN: 'a token of the operators',
    ...{ HEADERS_TIMEOUT_MS: '400', REQUEST_TIMEOUT_MS: '60000', MAX_HEADER_BYTES: '4096' },
    ...{ SHUTDOWN_UNREADY_MS: '1500', SHUTDOWN_GRACE_MS: '1000' },
  })
  const health = createHealth()
  const ops = express().get('/ready', (_req, res) => void res.sendStatus(health.isReady() ? 200 : 503))
  const proxy = {
    ...{ ready: Promise.resolve(), health, ops },
    handler: (_req: unknown, res: { end(text: string): void }) => res.end('answered'),
    upgrade: (_req: unknown, socket: { end(text: string): void }) => socket.end('HTTP/1.1 101 Upgraded\r\n\r\n'),
    async close() {
      const answer = await fetch(`${opsUrl}/ready`)
      order.push(`the proxy closed, operators were answered ${answer.status}`)
    },
  }
  served = await listen(proxy as never, config, createLogger({ name: 'listeners under test', level: 'silent' }))
})
afterEach(() => served.close())

const said = (bytes: string) => readToTheEnd(served.port, bytes)
const head = (more: string) => `GET / HTTP/1.1\r\nHost: s\r\n${more}\r\n`

it('bounds how large headers may be and how long they may take', async () => {
  expect(await said(head(`Connection: close\r\nX-A: ${'a'.repeat(5_000)}\r\n`))).toContain('HTTP/1.1 431')
  expect(await said('GET / HTTP/1.1\r\nHost: s\r\n')).toContain('HTTP/1.1 408')
})

it('gives WebSockets to the proxy, and what else would be upgraded is a request', async () => {
  const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
  expect(await said(head(`Connection: Upgrade\r\nUpgrade: websocket\r\n${key}`))).toContain('101 Upgraded')
  expect(await said(head('Connection: Upgrade, close\r\nUpgrade: h2c\r\n'))).toContain('answered')
})

it('says that it is not ready for as long as it is told, answers meanwhile, and shows operators the end of it', async () => {
  expect((await fetch(`${opsUrl}/ready`)).status).toBe(200)
  const from = performance.now()
  const closing = served.close()
  expect((await fetch(`${opsUrl}/ready`)).status).toBe(503)
  expect(await (await fetch(served.url)).text()).toBe('answered')
  await closing
  expect(performance.now() - from).toBeGreaterThanOrEqual(1_400)
  expect(order).toEqual(['the proxy closed, operators were answered 503'])
  await expect(fetch(served.url)).rejects.toThrow('fetch failed')
  await vi.waitFor(() => expect(fetch(`${opsUrl}/ready`)).rejects.toThrow('fetch failed'))
})
