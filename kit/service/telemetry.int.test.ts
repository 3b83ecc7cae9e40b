import { createServer, type Server } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type Disposable } from '../../tests/support/infra.ts'
import { newKey } from '../../tests/support/keys.ts'
import { lineOf, type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../../tests/support/otlp-receiver.ts'
import { eventTopology } from '../broker/index.ts'
import { installInbox } from '../inbox/install.ts'
import { installOutbox } from '../outbox/install.ts'
import { createWorld, type World } from '../outbox/testing/world.ts'
import { fromPg } from '../sql.ts'
import { type Started, startTraced } from './testing/start-traced.ts'
import { publicJwks } from './tokens.ts'

let world: World
let collector: OtlpReceiver
const key = newKey('users')

beforeEach(async () => {
  world = await createWorld()
  collector = await startOtlpReceiver()
  world.onClose(() => collector.close())
})
afterEach(() => world.close())

type More = { databaseUrl?: string; otherUrl?: string; queue?: string; env?: Record<string, string> }

async function start(name: string, { databaseUrl, env, ...more }: More = {}): Promise<Started> {
  const started = await startTraced({
    ...{ name, ...more },
    env: {
      PORT: '0',
      BANYAN_LIFELINE: 'stdin',
      DATABASE_URL: databaseUrl ?? world.databaseUrl,
      AMQP_URL: world.brokerUrl,
      JWT_ISSUER: 'shop',
      JWT_JWKS: JSON.stringify(publicJwks({ keys: [key] })),
      INTERNAL_KEY: JSON.stringify(newKey(name)),
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: '50',
      ...env,
    },
  })
  world.onClose(() => started.stop())
  return started
}

async function doIt(service: Started, headers: Record<string, string> = {}): Promise<Response> {
  return await fetch(`${service.url}/do`, { method: 'POST', headers })
}

test('what a request causes is one trace, over a call, the outbox, the broker and an inbox', async () => {
  const elsewhere = await databaseOfAnother()
  await world.broker.declare(eventTopology('banyan.echo', ['Followed']))
  const other = await start('other', { databaseUrl: elsewhere.url, queue: 'banyan.heard' })
  const first = await start('first', { otherUrl: other.url, queue: 'banyan.back' })

  const traceId = 'a'.repeat(32)
  expect((await doIt(first, { traceparent: `00-${traceId}-${'b'.repeat(16)}-01` })).status).toBe(200)
  const ended = (name: string) => collector.spans.some((span) => span.name === name && span.service === 'first')
  await collector.until('the echo was heard', () => ended('process Followed'))
  await collector.until('the call is over', (all) => all.some(({ name }) => name === 'GET /asked/:id'))
  // Two processes export, each in its own time: a child may come before its parent.
  const isWhole = (all: readonly ReceivedSpan[]) =>
    all.every((span) => span.traceId !== traceId || lineOf(span, all).at(-1)!.name === 'POST /do')
  await collector.until('every span has its parent', isWhole)

  const spans = collector.spans.filter((span) => span.traceId === traceId)
  expect(collector.spans.filter((span) => !spans.includes(span))).toEqual([])
  const way = (service: string, name: string) => {
    const end = spans.find((span) => span.service === service && span.name === name)!
    return lineOf(end, spans).map((span) => `${span.service}: ${span.name}`)
  }
  const request = 'first: POST /do'
  expect(way('other', 'GET /asked/:id')).toEqual(['other: GET /asked/:id', 'first: GET other', request])
  expect(way('first', 'process Followed')).toEqual([
    'first: process Followed',
    'other: publish Followed',
    'other: process Happened',
    'first: publish Happened',
    request,
  ])
  // The one parent that is nobody's here is the client's.
  const orphans = spans.filter((span) => lineOf(span, spans).at(-1)!.name !== 'POST /do')
  expect(orphans).toEqual([])
  expect(spans.find(({ name }) => name === 'POST /do')?.parentSpanId).toBe('b'.repeat(16))

  for (const line of ['was asked', 'has heard']) expect(other.said(line)).toMatchObject([{ traceId }])
  expect(first.said('has heard the echo')).toMatchObject([{ traceId }])
  const figures = await (await fetch(`${first.url}/metrics`)).text()
  for (const line of [/^outbox_backlog \d/m, /^inbox_dead_letters_total\{queue="banyan.back"\} 0$/m])
    expect(figures).toMatch(line)
})

test('what was not sent yet is sent at the end', async () => {
  const service = await start('first', { env: { OTEL_BSP_SCHEDULE_DELAY: '60000' } })
  await doIt(service)
  expect(collector.spans).toEqual([])
  expect(await service.stop()).toBe(0)
  expect(collector.spans.map(({ name }) => name)).toContain('POST /do')
})

test.each([
  ['nobody listens', async () => 'http://127.0.0.1:1'],
  ['somebody listens and never answers', async () => await mute()],
])('a collector where %s harms nothing', async (_how, where) => {
  const service = await start('first', { env: { OTEL_EXPORTER_OTLP_ENDPOINT: await where() } })
  expect((await doIt(service)).status).toBe(200)
  const asked = performance.now()
  expect(await service.stop()).toBe(0)
  // Two seconds for the spans; the rest is the machine's.
  expect(performance.now() - asked).toBeLessThan(5_000)
  expect(JSON.stringify(service.lines)).toMatch(/spans/)
})

test('the standard sampler decides for what begins here, and the caller for the rest', async () => {
  const env = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }
  const service = await start('first', { env })
  await doIt(service)
  await doIt(service, { traceparent: `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01` })
  await service.stop()
  expect(new Set(collector.spans.map(({ traceId }) => traceId))).toEqual(new Set(['c'.repeat(32)]))
})

test('without an endpoint no SDK is loaded, and logs and events say the trace all the same', async () => {
  const silent = await start('first', { queue: 'banyan.heard', env: { OTEL_EXPORTER_OTLP_ENDPOINT: '' } })
  const traceId = 'e'.repeat(32)
  await doIt(silent, { traceparent: `00-${traceId}-${'f'.repeat(16)}-01` })
  await silent.untilSaid('has heard')
  expect(silent.said('has heard')).toMatchObject([{ traceId }])
  expect(silent.loaded.filter((module) => /opentelemetry\/(sdk|exporter|otlp)/.test(module))).toEqual([])

  const speaking = await start('first')
  expect(speaking.loaded.join()).toMatch(/opentelemetry\/sdk-trace/)
})

async function databaseOfAnother(): Promise<Disposable> {
  const database = await createTestDatabase()
  world.onClose(() => database.drop())
  const { Pool } = (await import('pg')).default
  const pool = new Pool({ connectionString: database.url })
  // The database is dropped while its last connections are still closing.
  pool.on('error', () => undefined)
  await installOutbox(fromPg(pool))
  await installInbox(fromPg(pool))
  await pool.end()
  return database
}

async function mute(): Promise<string> {
  const server: Server = createServer(() => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  world.onClose(async () => void server.close())
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}
