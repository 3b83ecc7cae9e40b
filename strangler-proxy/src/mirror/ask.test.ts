import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it, onTestFinished, vi } from 'vitest'
import { createAskSide } from './ask.ts'
import type { Copy } from './copy.ts'

const copy = { method: 'GET', url: '/api/goods', headers: {} } as Copy
let server: Server | undefined

const listen = (port: number) =>
  new Promise<number>((resolve) => {
    server = createServer((_req, res) => res.end()).listen(port, '127.0.0.1', () =>
      resolve((server!.address() as AddressInfo).port),
    )
  })
const close = () => new Promise((resolve) => server?.close(resolve))

afterEach(close)

it('tries an address where nobody listens once a second, and not for each copy', async () => {
  let now = 0
  const ask = createAskSide(8, () => now)
  const port = await listen(0)
  await close()
  const base = `http://127.0.0.1:${port}`
  await expect(ask(copy, base)).rejects.toThrow('ECONNREFUSED')
  await listen(port)
  now = 999
  await expect(ask(copy, base)).rejects.toThrow('ECONNREFUSED')
  now = 1_000
  expect(await ask(copy, base)).toMatchObject({ status: 200 })
})

it('asks on where an answer breaks off, and at the other addresses', async () => {
  const ask = createAskSide(8, () => 0)
  const port = await listen(0)
  server!.prependOnceListener('request', (req) => req.socket.destroy())
  await expect(ask(copy, `http://127.0.0.1:${port}`)).rejects.toThrow('socket hang up')
  await expect(ask(copy, 'http://127.0.0.1:1')).rejects.toThrow('ECONNREFUSED')
  expect(await ask(copy, `http://127.0.0.1:${port}`)).toMatchObject({ status: 200 })
})

it('remembers a name that leads nowhere, too', async () => {
  let now = 0
  const ask = createAskSide(8, () => now)
  const fails = () => ask(copy, 'http://nobody.invalid').catch((error) => error)
  await fails()
  const remembered = await fails()
  expect(await fails()).toBe(remembered)
  now = 1_000
  expect(await fails()).not.toBe(remembered)
})

it.each([
  ['is longer than is compared', 'text/plain', 'x'.repeat(70_000), 'more than is compared'],
  ['is a stream of events', 'text/event-stream', 'data: 1\n\n', 'type'],
])('takes no answer that %s', async (_what, type, body, why) => {
  const ask = createAskSide(8, () => 0)
  const port = await listen(0)
  server!.removeAllListeners('request').on('request', (_req, res) => {
    res.writeHead(200, { 'content-type': type }).write(body)
    // The long one is not waited for to its end.
    if (type !== 'text/plain') res.end()
  })
  await expect(ask(copy, `http://127.0.0.1:${port}`)).rejects.toThrow(why)
})

it('waits five seconds for a side that says nothing', async () => {
  const bound = new AbortController()
  const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(bound.signal)
  onTestFinished(() => timeout.mockRestore())
  const ask = createAskSide(8, () => 0)
  const port = await listen(0)
  server!.removeAllListeners('request')
  const asked = ask(copy, `http://127.0.0.1:${port}`)
  bound.abort()
  await expect(asked).rejects.toThrow('aborted')
  expect(timeout).toHaveBeenCalledWith(5_000)
})
