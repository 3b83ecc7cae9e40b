import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createApp, createHealth, createLogger, createMetrics, finishApp } from '@banyan/kit/service'
import { Router } from 'express'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createAddressOf } from '../address.ts'
import type { AuditLine } from '../audit.ts'
import { addLogin } from './login.ts'
import type { Operator } from './operators.ts'
import { hashSecret } from './secret.ts'
import { createSessions } from './sessions.ts'

const SECRET = 'the secret of ann'
let operators: Operator[]
beforeAll(async () => {
  operators = [
    { name: 'ann', role: 'operator', secret: await hashSecret(SECRET) },
    { name: 'ben', role: 'operator', secret: await hashSecret('the secret of ben') },
  ]
})

/** The login alone, behind proxies that say where a request is from. */
async function start(trustedHops = 1) {
  const lines: AuditLine[] = []
  const clock = { now: 0 }
  const logger = createLogger({ name: 'login under test', level: 'silent' })
  const app = createApp({ logger, health: createHealth(), metrics: createMetrics({ defaults: false }) })
  const router = Router()
  addLogin(router, {
    ...{ operators, logger, addressOf: createAddressOf(trustedHops) },
    now: () => clock.now,
    sessions: createSessions({ lifeMs: 60_000, secure: false }),
    audit: async (line) => void lines.push(line),
  })
  app.use('/console', router)
  const server = createServer(finishApp(app, { logger }))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/console`
  const logIn = (from: string, name: string, secret: string, headers: Record<string, string> = {}) =>
    fetch(`${url}/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': from, ...headers },
      body: JSON.stringify({ name, secret }),
    })
  return { clock, lines, logIn, url }
}

describe('a wrong login', () => {
  it('slows down the address that the proxies in front saw, and no other', async () => {
    const { logIn, lines } = await start()
    const wrong = async (from: string) => (await logIn(from, 'nobody', 'x')).status
    expect(await wrong('203.0.113.7, 198.51.100.1')).toBe(401)
    // What it says of itself before what the proxy saw changes nothing.
    expect(await wrong('203.0.113.8, 198.51.100.1')).toBe(429)
    expect(await wrong('198.51.100.2')).toBe(401)
    expect(lines.map(({ why }) => why)).toEqual(['from 198.51.100.1', 'from 198.51.100.2'])
  })

  it('slows down all of an IPv6 /64, which one client has', async () => {
    const { logIn } = await start()
    expect((await logIn('2001:db8:1:2::1', 'nobody', 'x')).status).toBe(401)
    expect((await logIn('2001:db8:1:2:3:4:5:6', 'nobody', 'x')).status).toBe(429)
    expect((await logIn('2001:db8:1:3::1', 'nobody', 'x')).status).toBe(401)
  })

  it('is of the peer where no proxy is trusted, whatever is said', async () => {
    const { logIn } = await start(0)
    expect((await logIn('198.51.100.1', 'nobody', 'x')).status).toBe(401)
    expect((await logIn('198.51.100.2', 'nobody', 'x')).status).toBe(429)
  })
})
