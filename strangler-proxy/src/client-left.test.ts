import { promisify } from 'node:util'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { openRaw, until } from '../test-support/raw.ts'
import { startProxy, type TestProxy, type TestProxyOptions } from '../test-support/start-proxy.ts'
import { startUpstream } from '../test-support/upstream.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: POST, path: /api/goods, context: goods, access: write }
  - { method: PUT, path: /api/goods, context: goods, access: write, auth: required }
`
const started: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of started.splice(0)) await one.close()
})

type Answer = NonNullable<Parameters<typeof startUpstream>[1]>
const inTwo: Answer = (_req, res) => {
  res.write('one')
  res.end('two')
}

/** A proxy that tells when it begins and ends to carry a request; its upstream's answers have no length. */
async function house(options: Partial<TestProxyOptions> = {}, answer: Answer = inTwo) {
  const upstream = await startUpstream('upstream', answer)
  const proxy = await startProxy({ routes: ROUTES, monolith: upstream.url, ...options })
  started.push(proxy, upstream)
  const ended = vi.fn()
  const began = vi
    .spyOn(proxy.parts.recorder, 'listen')
    .mockReturnValue({ setCookie: null, answered: () => undefined, ended })
  return { proxy, upstream, began, ended }
}
async function leave(proxy: TestProxy, socket: { destroy(): void }) {
  socket.destroy()
  const connections = promisify(proxy.server.getConnections.bind(proxy.server))
  await until('the proxy has seen the client go', async () => (await connections()) === 0)
}

describe('a write whose client has left', () => {
  it.each([
    ['a body', 4, 'body'],
    ['no body', 0, ''],
  ])('while its token was looked at, with %s, is not sent, and no hold waits for it', async (_what, length, body) => {
    const asked = Promise.withResolvers<void>()
    const judged = Promise.withResolvers<{ sub: string }>()
    const verify = () => {
      asked.resolve()
      return judged.promise
    }
    const { proxy, upstream, ended } = await house({ verifier: { known: () => undefined, verify } })
    const socket = await openRaw(proxy.port)
    socket.write(
      `PUT /api/goods HTTP/1.1\r\nHost: s\r\nAuthorization: Bearer t\r\nContent-Length: ${length}\r\n\r\n${body}`,
    )
    await asked.promise
    await leave(proxy, socket)
    judged.resolve({ sub: 'u' })
    await until('the proxy is done with it', () => ended.mock.calls.length === 1)
    expect([upstream.seen.length, proxy.parts.inFlight.total()]).toEqual([0, 0])
  })

  it('in the middle of its body is not sent, and is nobody’s failure', async () => {
    const { proxy, upstream, began, ended } = await house()
    const failed = vi.spyOn(proxy.parts.logger, 'error')
    const decided = vi.spyOn(proxy.parts.metrics, 'decided')
    const socket = await openRaw(proxy.port)
    socket.write('POST /api/goods HTTP/1.1\r\nHost: s\r\nContent-Length: 8\r\n\r\nhalf')
    await until('its body is waited for', () => began.mock.calls.length === 1)
    await leave(proxy, socket)
    await until('the proxy is done with it', () => ended.mock.calls.length === 1)
    expect([upstream.seen.length, proxy.parts.inFlight.total()]).toEqual([0, 0])
    expect([failed.mock.calls, decided.mock.calls]).toEqual([[], []])
  })

  it('between two sendings is not sent again', async () => {
    const { proxy, upstream, ended } = await house(
      {},
      (_req, res) => void res.writeHead(421, { 'banyan-refused': 'not-owner' }).end(),
    )
    // In the pause after the refusal, which is over when the proxy has seen it go.
    vi.spyOn(proxy.parts.ownership, 'refresh').mockImplementation(() => leave(proxy, socket))
    const socket = await openRaw(proxy.port)
    socket.write('POST /api/goods HTTP/1.1\r\nHost: s\r\nContent-Length: 0\r\n\r\n')
    await until('the proxy is done with it', () => ended.mock.calls.length === 1)
    expect([upstream.seen.length, proxy.parts.inFlight.total()]).toEqual([1, 0])
  })

  it('while there was no instance for it is not sent, and no hold waits for it', async () => {
    const { proxy, upstream, began, ended } = await house({ services: {} })
    proxy.own('goods', { phase: 'switched', owner: 'service' })
    const socket = await openRaw(proxy.port)
    socket.write('POST /api/goods HTTP/1.1\r\nHost: s\r\nContent-Length: 0\r\n\r\n')
    await until('it waits for an instance', () => began.mock.calls.length === 1)
    await leave(proxy, socket)
    proxy.parts.upstreams.setService('goods', [upstream.url])
    await until('the proxy is done with it', () => ended.mock.calls.length === 1)
    expect([upstream.seen.length, proxy.parts.inFlight.total()]).toEqual([0, 0])
  })
})
