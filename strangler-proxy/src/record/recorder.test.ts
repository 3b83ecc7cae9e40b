import { EventEmitter } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { createLogger } from '@banyan/kit/service'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../test-support/raw.ts'
import { startProxy, type TestProxy, type TestProxyOptions } from '../../test-support/start-proxy.ts'
import { startUpstream, type TestUpstream } from '../../test-support/upstream.ts'
import { createRecorder } from './recorder.ts'
import { TAPE_BYTES } from './tape.ts'
import { type OpenWriter, openWriter } from './writer-thread.ts'

const ROUTES = `
contexts: { goods: goods-service }
personal: [nickname]
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: POST, path: /api/goods, context: goods, access: write, limits: { body: 1mb } }
`
const ORDER = { share: 1, requests: 1_000, megabytes: 1, minutes: 1 }
const folder = mkdtempSync(join(tmpdir(), 'banyan-recorder-'))
let upstream: TestUpstream
let proxy: TestProxy
let answer: string | Buffer = '{"id":7,"name":"Kettle"}'
let coding: string | undefined

const start = async (more: Partial<TestProxyOptions> = {}) => {
  proxy = await startProxy({ routes: ROUTES, monolith: upstream.url, recordInto: folder, ...more })
  return proxy
}
const ask = (init: RequestInit = {}) => fetch(`${proxy.url}/api/goods`, init)
const post = (body: string, headers: Record<string, string> = {}) =>
  ask({ method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } })
const linesOf = (file: string) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => JSON.parse(line))
/** Ends the recording and reads what it holds. */
const recorded = async (written: number) => {
  await until(`${written} are written`, () => proxy.recorder.state().written === written, 30_000)
  return linesOf((await proxy.recorder.stop('the test has seen enough')).file!)
}
const bearer = (sub: string) => ({
  authorization: `Bearer e30.${Buffer.from(JSON.stringify({ sub, role: 'admin' })).toString('base64url')}.c2ln`,
})
const cookieOf = (from: Response) => from.headers.getSetCookie()[0]?.split(';')[0] ?? ''

beforeAll(async () => {
  upstream = await startUpstream('monolith', (_req, res) => {
    res.setHeader('content-type', 'application/json')
    if (coding) res.setHeader('content-encoding', coding)
    res.end(answer)
  })
})
afterEach(async () => {
  answer = '{"id":7,"name":"Kettle"}'
  coding = undefined
  await proxy.recorder.stop('the test is over')
  await proxy.close()
})
afterAll(async () => {
  await upstream.close()
  rmSync(folder, { recursive: true })
})

describe('the recorder', () => {
  it('is off until it is started, and then listens without touching what passes', async () => {
    await start()
    expect(cookieOf(await post('{"a":1}'))).toBe('')
    const { file } = proxy.recorder.start(ORDER)
    coding = 'gzip'
    answer = gzipSync('{"id":7,"accessToken":"planted-token"}')
    const through = await post('{"password":"planted word","nickName":"planted"}', bearer('9'))
    expect(await through.json()).toEqual({ id: 7, accessToken: 'planted-token' })
    expect(upstream.seen.at(-1)?.body).toBe('{"password":"planted word","nickName":"planted"}')
    const [line] = await recorded(1)
    expect(line).toMatchObject({
      ...{ n: 0, method: 'POST', path: '/api/goods', claims: { role: 'admin' } },
      answer: { status: 200, ids: { '$.body.id': 7 } },
    })
    expect(readFileSync(file!, 'utf8')).not.toMatch(/planted|c2ln/)
    expect(statSync(file!).mode & 0o777).toBe(0o600)
    expect(cookieOf(await post('{}'))).toBe('')
  })

  it('samples sessions and not requests: all of a client, or nothing', async () => {
    let offered = 0
    const counting: OpenWriter = (data, on) => {
      const writer = openWriter(data, on)
      return { offer: (exchange) => ++offered > 0 && writer.offer(exchange), end: writer.end }
    }
    await start({ openWriter: counting })
    proxy.recorder.start({ ...ORDER, share: 0.3 })
    const clients = await Promise.all(Array.from({ length: 30 }, async () => cookieOf(await ask())))
    for (const cookie of clients) for (let time = 0; time < 2; time++) await ask({ headers: { cookie } })
    const users = Array.from({ length: 30 }, (_, at) => bearer(`user ${at}`))
    for (let time = 0; time < 3; time++) for (const headers of users) await ask({ headers })
    const lines = await recorded(offered)
    const sessions = Map.groupBy(lines, ({ session }) => session as string)
    expect(new Set([...sessions.values()].map(({ length }) => length))).toEqual(new Set([3]))
    expect(sessions.size).toBeGreaterThan(5)
    expect(sessions.size).toBeLessThan(50)
  })

  it('keeps no body that is too long, and hands it through whole', async () => {
    await start()
    proxy.recorder.start(ORDER)
    const long = JSON.stringify({ text: 'x'.repeat(TAPE_BYTES) })
    answer = long
    expect(await (await post(long)).text()).toBe(long)
    expect(upstream.seen.at(-1)?.body).toBe(long)
    const [line] = await recorded(1)
    expect(line.body).toEqual({ omitted: 'size' })
    expect(line.answer).toEqual({ status: 200 })
  })

  it('ends by itself at its number of requests, its size and its time', async () => {
    await start()
    proxy.recorder.start({ ...ORDER, requests: 2 })
    for (let time = 0; time < 4; time++) await ask()
    expect(proxy.recorder.state()).toMatchObject({ on: false, ended: 'its number of requests is reached' })
    proxy.recorder.start({ ...ORDER, megabytes: 0.001 })
    await until('its size is reached', async () => (await ask()).ok && !proxy.recorder.state().on, 30_000)
    expect(statSync(proxy.recorder.state().file!).size).toBeLessThan(2_000)
    proxy.recorder.start({ ...ORDER, minutes: 0.001 })
    await until('its time is over', () => !proxy.recorder.state().on, 30_000)
    expect(proxy.recorder.state().ended).toBe('its time is over')
    expect(readdirSync(folder).length).toBeGreaterThan(2)
  })
})

describe('a recorder that cannot write', () => {
  it('ends, says why, and costs no request anything: a folder that is none', async () => {
    writeFileSync(join(folder, 'a-file'), '')
    await start({ recordInto: join(folder, 'a-file', 'below') })
    proxy.recorder.start(ORDER)
    await until('it gives up', async () => (await post('{"a":1}')).ok && !proxy.recorder.state().on, 30_000)
    expect(proxy.recorder.state().ended).toMatch(/could not be written: .*ENOTDIR/)
    expect((await post('{"a":1}')).status).toBe(200)
  })

  it('drops and counts what does not fit while its writer hangs, and leaves out the rest of those sessions', async () => {
    let taken = 0
    const hung: OpenWriter = () => ({ offer: () => ++taken <= 3, end: async () => undefined })
    await start({ openWriter: hung })
    proxy.recorder.start(ORDER)
    for (let time = 0; time < 10; time++) expect((await post('{"a":1}', bearer('one'))).status).toBe(200)
    expect(proxy.recorder.state()).toMatchObject({ on: true, written: 0, dropped: 1 })
    expect((await post('{"a":1}', bearer('two'))).status).toBe(200)
    expect(proxy.recorder.state().dropped).toBe(2)
    expect(await proxy.parts.metrics.http.registry.metrics()).toContain('proxy_recorded_total{what="dropped"} 2')
  })

  it('ends when more sessions lack a request than it can remember, each client without a cookie being a new one', () => {
    let sessions = 0
    const logger = createLogger({ name: 'recorder under test', level: 'silent' })
    const recorder = createRecorder({
      ...{ folder, claims: [], personal: {}, counted: () => undefined, logger },
      cookies: {
        session: () => null,
        newSession: () => ({ id: `session ${sessions++}`, setCookie: 'banyan-session=x' }),
      },
      open: () => ({ offer: () => false, end: async () => undefined }),
    })
    recorder.start({ ...ORDER, requests: 1_000_000 })
    const message = (more: object) =>
      Object.assign(new EventEmitter(), { headers: {}, ...more }) as unknown as IncomingMessage
    for (let time = 0; time < 20_000 && recorder.state().on; time++) {
      const listening = recorder.listen(message({ method: 'GET', url: '/api/goods' }), null, null)
      listening.answered(message({ complete: true, statusCode: 200 }))
      listening.ended()
    }
    expect(recorder.state()).toMatchObject({ on: false, dropped: 10_000, ended: 'too many sessions lack a request' })
  })

  it('has requests go on when it is wrong itself', async () => {
    const broken: OpenWriter = () => ({
      offer() {
        throw new Error('a fault of the recorder')
      },
      end: async () => undefined,
    })
    await start({ openWriter: broken })
    proxy.recorder.start(ORDER)
    for (let time = 0; time < 3; time++) expect(await (await post('{"a":1}')).json()).toEqual({ id: 7, name: 'Kettle' })
  })
})
