import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createApp, createHealth, createLogger, finishApp, type Served, serve } from './index.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
const within = { timeout: 3_000, interval: 10 }
let open: Served[] = []

afterEach(async () => {
  for (const one of open) await one.close()
  open = []
})

async function start(
  options: { unreadyMs?: number; graceMs?: number; close?: (() => Promise<void>)[]; answered?(): void } = {},
) {
  const reached = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  const health = createHealth()
  const app = createApp({ logger, health })
  app.get('/quick', (_req, res) => {
    res.json({})
  })
  app.get('/slow', async (_req, res) => {
    res.once('finish', () => options.answered?.())
    reached.resolve()
    await go.promise
    res.json({ done: true })
  })
  finishApp(app, { logger })
  const served = await serve({
    app,
    host: '127.0.0.1',
    port: 0,
    health,
    logger,
    unreadyMs: options.unreadyMs ?? 0,
    graceMs: options.graceMs ?? 2_000,
    close: options.close ?? [],
    ownProcess: false,
  })
  open.push(served)
  return { served, health, reached: reached.promise, go: go.resolve }
}

async function get(url: string, agent?: Agent): Promise<IncomingMessage & { text: string }> {
  const req = httpRequest(url, { agent: agent ?? false })
  req.end()
  const [res] = (await once(req, 'response')) as [IncomingMessage]
  let text = ''
  for await (const part of res) text += part
  return Object.assign(res, { text })
}

describe('serve', () => {
  it('is ready once it listens', async () => {
    const { served, health } = await start()
    expect(health.isReady()).toBe(true)
    expect((await get(`${served.url}/health/ready`)).statusCode).toBe(200)
  })

  it('lets a request in flight end, tells its client to close, and closes what is behind only then', async () => {
    const order: string[] = []
    const { served, health, reached, go } = await start({
      answered: () => order.push('answered'),
      close: [async () => void order.push('pool')],
    })
    const agent = new Agent({ keepAlive: true })
    const answer = get(`${served.url}/slow`, agent)
    await reached
    const closing = served.close()
    expect(health.isReady()).toBe(false)
    await vi.waitFor(() => expect(get(`${served.url}/quick`)).rejects.toThrow('ECONNREFUSED'), within)
    expect(order).toEqual([])
    go()
    const res = await answer
    expect(res.headers.connection).toBe('close')
    expect(res.text).toBe('{"done":true}')
    await closing
    expect(order).toEqual(['answered', 'pool'])
    agent.destroy()
  })

  it('answers on for a while although it says that it is not ready, for balancers that ask now and then', async () => {
    const { served } = await start({ unreadyMs: 2_000 })
    const agent = new Agent({ keepAlive: true })
    expect((await get(`${served.url}/quick`, agent)).headers.connection).toBe('keep-alive')
    const closing = served.close()
    expect((await get(`${served.url}/health/ready`)).statusCode).toBe(503)
    // On the connection that was kept: its client lets go of it now, and not in the moment in which it is closed.
    const last = await get(`${served.url}/quick`, agent)
    expect([last.statusCode, last.headers.connection]).toEqual([200, 'close'])
    agent.destroy()
    await closing
    await expect(get(`${served.url}/quick`)).rejects.toThrow('ECONNREFUSED')
  })

  it('answers all that was pipelined on one connection, and says that it closes with the last', async () => {
    const { served, reached, go } = await start()
    const socket = connect(served.port, '127.0.0.1')
    socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2))
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk
    })
    await reached
    const closing = served.close()
    go()
    await Promise.all([once(socket, 'close'), closing])
    expect(received.match(/HTTP\/1.1 200/g)).toHaveLength(2)
    expect(received.match(/^connection: .*$/gim)).toEqual(['Connection: keep-alive', 'Connection: close'])
  })

  it('closes idle keep-alive connections at once', async () => {
    const { served } = await start({ graceMs: 10_000 })
    const agent = new Agent({ keepAlive: true })
    expect((await get(`${served.url}/quick`, agent)).headers.connection).toBe('keep-alive')
    const started = performance.now()
    await served.close()
    expect(performance.now() - started).toBeLessThan(1_000)
    agent.destroy()
  })

  it('keeps idle connections longer than a proxy’s agent does', async () => {
    const { served } = await start()
    expect(served.server.keepAliveTimeout).toBe(65_000)
  })

  it('cuts off what outlives the grace, half requests and upgraded sockets included', async () => {
    const { served, reached } = await start({ graceMs: 100 })
    served.server.on('upgrade', (_req, socket) => {
      socket.on('error', () => socket.destroy())
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')
    })
    const half = connect(served.port, '127.0.0.1')
    half.on('error', () => half.destroy())
    half.write('POST /quick HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc')
    const upgraded = connect(served.port, '127.0.0.1')
    upgraded.on('error', () => upgraded.destroy())
    upgraded.write('GET / HTTP/1.1\r\nHost: x\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')
    await once(upgraded, 'data')
    const answer = get(`${served.url}/slow`)
    answer.catch(() => undefined)
    await reached
    const started = performance.now()
    await served.close()
    expect(performance.now() - started).toBeLessThan(1_500)
    await expect(answer).rejects.toThrow()
  })

  it('closes the rest although one fails or hangs', async () => {
    const closed = vi.fn(async () => undefined)
    const { served } = await start({ close: [() => Promise.reject(new Error('no')), closed] })
    await served.close()
    expect(closed).toHaveBeenCalled()
  })

  it('refuses a port that is taken', async () => {
    const { served } = await start()
    const again = serve({
      app: () => undefined,
      host: '127.0.0.1',
      port: served.port,
      logger,
      graceMs: 0,
      ownProcess: false,
    })
    await expect(again).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })

  it.each([
    ['SIGTERM', (child: ReturnType<typeof spawn>) => child.kill('SIGTERM')],
    ['the end of its standard input', (child: ReturnType<typeof spawn>) => child.stdin?.end()],
  ])('a process ends on %s, orderly', async (_what, stop) => {
    const script = `import { createLogger, serve } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))}
      const logger = createLogger({ name: 'child', level: 'silent' })
      await serve({ app: (q, r) => r.end(), host: '127.0.0.1', port: 0, logger, graceMs: 1000, lifeline: 'stdin',
        close: [async () => console.log('closed')] })
      console.log('up')`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (part) => {
      text += part
    })
    await vi.waitFor(() => expect(text).toBe('up\n'), { timeout: 10_000, interval: 20 })
    stop(child)
    const [code] = await once(child, 'exit')
    expect(code).toBe(0)
    expect(text).toBe('up\nclosed\n')
  })
})
