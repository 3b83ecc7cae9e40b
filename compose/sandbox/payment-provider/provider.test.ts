import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createPaymentProvider } from './app.ts'
import { type Ledger, openLedger } from './ledger.ts'

let folder: string
let file: string
let ledger: Ledger
let server: Server
let url: string

const start = async () => {
  ledger = await openLedger(file)
  server = createServer(createPaymentProvider({ ledger, apiKey: 'secret', lateMs: 300 }))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
const stop = async () => {
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
  await ledger.close()
}
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'banyan-provider-'))
  file = join(folder, 'ledger.jsonl')
  await start()
})
afterEach(async () => {
  await stop()
  await rm(folder, { recursive: true })
})

const call = async (method: string, path: string, { key = '', body, apiKey = 'secret' }: Call = {}) => {
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', 'idempotency-key': key },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  // biome-ignore lint/suspicious/noExplicitAny: the tests state what they expect of the body
  return { status: response.status, body: (await response.json()) as any }
}
type Call = { key?: string; body?: object; apiKey?: string }
const charge = (key: string, token = 'tok_visa', amountCents = 500) =>
  call('POST', '/charges', { key, body: { amountCents, token, reference: 'r' } })

it('charges once a key, however many ask at once', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => charge('k')))
  expect(new Set(answers.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1)
  expect(ledger.entries).toHaveLength(1)
  expect((await charge('k', 'tok_visa', 501)).body.code).toBe('idempotency-key-reused')
})

it('declines, fails and answers late as the token says', async () => {
  expect((await charge('a', 'tok_declined')).status).toBe(402)
  expect((await charge('a', 'tok_declined')).status).toBe(402)
  const flaky = [await charge('b', 'tok_flaky'), await charge('b', 'tok_flaky'), await charge('b', 'tok_flaky')]
  expect(flaky[0]!.status).toBe(500)
  expect(flaky[2]!.status).toBe(201)
  const from = Date.now()
  await charge('c', 'tok_timeout')
  expect(Date.now() - from).toBeGreaterThanOrEqual(290)
  const again = Date.now()
  expect((await charge('c', 'tok_timeout')).status).toBe(201)
  expect(Date.now() - again).toBeLessThan(250)
  expect((await charge('d', 'tok_unknown')).body.code).toBe('unknown-token')
})

it('remembers everything it said over a restart, and drops a line that a crash tore', async () => {
  const before = await charge('k')
  await call('POST', '/charges/other/cancel')
  await stop()
  await appendFile(file, '{"kind":"charge","key":"torn","amou')
  await start()
  expect((await charge('k')).body).toEqual(before.body)
  expect((await charge('other')).body.code).toBe('charge-voided')
  expect((await call('GET', '/charges/torn')).status).toBe(404)
  await charge('after')
  await stop()
  await start()
  expect(ledger.entries.map((entry) => entry.key)).toEqual(['k', 'other', 'after'])
})

it('holds nothing after a cancellation, whether it came after the charge or before', async () => {
  await charge('late')
  const cancelled = await Promise.all([1, 2, 3].map(() => call('POST', '/charges/late/cancel')))
  expect(cancelled.map(({ body }) => [body.status, body.refundedCents])).toEqual(Array(3).fill(['approved', 500]))
  await call('POST', '/charges/early/cancel')
  expect((await charge('early')).status).toBe(409)
  expect(ledger.entries.map((entry) => entry.kind)).toEqual(['charge', 'refund', 'void'])
})

it('refunds once a key and never more than it holds', async () => {
  await charge('k')
  const refund = (key: string, amountCents?: number) =>
    call('POST', '/charges/k/refunds', { key, body: { amountCents } })
  await Promise.all([refund('r1', 200), refund('r1', 200)])
  expect((await refund('r1', 300)).body.code).toBe('idempotency-key-reused')
  expect((await refund('r2', 301)).body.code).toBe('refund-too-large')
  expect((await refund('r3')).body.refundedCents).toBe(500)
  expect((await call('POST', '/charges/nothing/refunds', { key: 'r' })).status).toBe(404)
})

it('answers only those who know its key, and only what makes sense', async () => {
  expect((await call('GET', '/ledger', { apiKey: 'guess' })).status).toBe(401)
  expect((await call('POST', '/charges', { body: {} })).status).toBe(400)
  expect((await call('POST', '/charges', { key: 'k', body: { amountCents: -1 } })).status).toBe(422)
  expect((await call('GET', '/nowhere')).status).toBe(404)
})
