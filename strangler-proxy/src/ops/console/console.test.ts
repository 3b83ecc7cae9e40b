import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHealth, createLogger, createMetrics } from '@banyan/kit/service'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { ownershipOf } from '../../../test-support/start-proxy.ts'
import { createSigner } from '../../sign.ts'
import { createOpsApp } from '../app.ts'
import { hashSecret } from './secret.ts'
import { type Changes, sourcesOf } from './testing/sources.ts'
import { createTraffic } from './traffic.ts'

// What needs the clock to be made up: when pictures are taken, and when a session is over. No picture comes by itself
// while the clock stands still.

const SESSION_MS = 60_000
let looks: number
let changes: Changes
let close: () => void
let url: string
beforeEach(async () => {
  looks = 0
  changes = { ownership: () => undefined, flags: () => undefined }
  const query = async (sql: string) => {
    if (!sql.includes('console_state')) return { rows: [{ reads: 'flag' }] }
    looks += 1
    return { rows: [{ state: { mover: true, contexts: [], now: new Date() } }] }
  }
  const pool = { query, connect: async () => ({ query, release: () => undefined }) }
  const ops = createOpsApp({
    ...{ sources: sourcesOf(new Map([['goods', ownershipOf('goods', { phase: 'ready' })]]), changes) },
    ...{ pool: pool as never, token: 'a token of the operators', trustedHops: 0, health: createHealth() },
    logger: createLogger({ name: 'console under test', level: 'silent' }),
    metrics: createMetrics({ defaults: false }),
    console: {
      operators: [{ name: 'ann', role: 'operator', secret: await hashSecret('the secret of ann') }],
      ...{
        sessionMs: SESSION_MS,
        secure: false,
        signer: createSigner('a cookie key for tests'),
        traffic: createTraffic(),
        flagAdmin: { setShare: async () => undefined } as never,
      },
    },
  })
  const server = createServer(ops.app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/console`
  close = () => {
    ops.close()
    server.closeAllConnections()
    server.close()
  }
})
afterEach(() => {
  vi.useRealTimers()
  close()
})

async function openPage() {
  const post = (path: string, body: object, headers = {}) =>
    fetch(`${url}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const answer = await post('login', { name: 'ann', secret: 'the secret of ann' })
  const cookie = answer.headers.getSetCookie()[0]!.split(';')[0]!
  const { csrf } = (await answer.json()) as { csrf: string }
  const headers = { cookie, 'x-csrf-token': csrf }
  const stream = await new Promise<IncomingMessage>((resolve) => get(`${url}/events`, { headers }, resolve))
  const ended = new Promise<void>((resolve) => stream.resume().once('end', resolve))
  await taken(1)
  return {
    ended,
    act: (path: string, body: object) => post(`contexts/goods/${path}`, body, headers),
    session: async () => (await fetch(`${url}/session`, { headers })).status,
  }
}

/** Lets what is due now be done, until so many pictures were taken. */
async function taken(pictures: number): Promise<void> {
  for (let turns = 0; looks < pictures && turns < 1_000; turns += 1) {
    await vi.advanceTimersByTimeAsync(0)
    await new Promise((resolve) => setImmediate(resolve))
  }
  // Until it has been sent as well: a change meanwhile would wait for the next.
  await new Promise((resolve) => setImmediate(resolve))
  expect(looks).toBe(pictures)
}

it('a change of ownership, of a flag, or by an action is shown at once', async () => {
  const page = await openPage()
  changes.ownership()
  await taken(2)
  changes.flags()
  await taken(3)
  expect((await page.act('reads', { reads: 'flag' })).status).toBe(200)
  await taken(4)
  expect((await page.act('share', { percent: 5 })).status).toBe(200)
  await taken(5)
  expect((await page.act('call-off', { why: 'not tonight' })).status).toBe(202)
  await taken(6)
  // Asking for a switch looks once itself, for a mover.
  expect((await page.act('owner', { verb: 'switch', why: 'a quiet hour' })).status).toBe(202)
  await taken(8)
})

it('a session ends with its time, and with it what it may see and do', async () => {
  const page = await openPage()
  await vi.advanceTimersByTimeAsync(SESSION_MS - 2_000)
  expect(await page.session()).toBe(200)
  await vi.advanceTimersByTimeAsync(4_000)
  await page.ended
  expect([await page.session(), (await page.act('reads', { reads: 'owner' })).status]).toEqual([401, 401])
})
