import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHealth, createLogger, createMetrics } from '@banyan/kit/service'
import pg from 'pg'
import { installControlDatabase } from '../../../../../migrations/src/control/install.ts'
import { createTestDatabase, loginClause } from '../../../../../tests/support/infra.ts'
import { until } from '../../../../test-support/raw.ts'
import { ownershipOf } from '../../../../test-support/start-proxy.ts'
import { createSigner } from '../../../sign.ts'
import { createOpsApp } from '../../app.ts'
import type { ConsoleOptions } from '../console.ts'
import { hashSecret } from '../secret.ts'
import { createTraffic } from '../traffic.ts'
import { openEvents } from './events.ts'
import { type Changes, type Mirrored, SAMPLE, type Seen, sourcesOf, WELL } from './sources.ts'

/** An operator and a viewer, who may log in. */
export const SECRETS = { ann: 'the secret of ann', vic: 'the secret of vic' }
export type Session = { cookie: string; csrf: string }
export type TestConsole = Awaited<ReturnType<typeof startConsole>>

/** The operators' listener on a real control database, by a proxy's role; what it would tell Unleash is kept instead. */
export async function startConsole(more: Partial<Pick<ConsoleOptions, 'flagAdmin' | 'operators' | 'traffic'>> = {}) {
  const role = `console_${randomBytes(4).toString('hex')}`
  const database = await createTestDatabase()
  const control = new pg.Pool({ connectionString: database.url })
  control.on('error', () => undefined)
  await control.query(`create role ${role} ${loginClause()}`)
  const client = await control.connect()
  await installControlDatabase(client, ['goods'], { proxies: [role] })
  client.release()
  const asProxy = new URL(database.url)
  asProxy.username = role
  const pool = new pg.Pool({ connectionString: asProxy.href })
  pool.on('error', () => undefined)
  const logged: object[] = []
  const logger = createLogger({ name: 'console under test', level: 'silent' })
  logger.warn = ((line: object) => logged.push(line)) as never
  const known = new Map([['goods', ownershipOf('goods', { phase: 'ready' })]])
  const unleash = { fails: false, shares: [] as [string, number][] }
  const mirrored: Mirrored = { mismatched: 1, samples: [SAMPLE] }
  const seen: Seen = { ...WELL }
  const changes: Changes = { ownership: () => undefined, flags: () => undefined }
  const ops = createOpsApp({
    sources: sourcesOf(known, changes, mirrored, seen),
    pool,
    token: 'a token of the operators',
    trustedHops: 0,
    logger,
    health: createHealth(),
    metrics: createMetrics({ defaults: false }),
    console: {
      operators: [
        { name: 'ann', role: 'operator', secret: await hashSecret(SECRETS.ann) },
        { name: 'vic', role: 'viewer', secret: await hashSecret(SECRETS.vic) },
      ],
      sessionMs: 60_000,
      secure: false,
      signer: createSigner('a cookie key for tests'),
      traffic: createTraffic(),
      flagAdmin: {
        async setShare(flag: string, percent: number) {
          if (unleash.fails) throw new Error('Unleash answered 404')
          unleash.shares.push([flag, percent])
        },
      } as never,
      ...more,
    },
  })
  const server = createServer(ops.app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const logIn = (name: string, secret: string, headers: Record<string, string> = {}) =>
    fetch(`${url}/console/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ name, secret }),
    })
  let lastSaid = 0
  return {
    ...{ url, role, control, pool, ops, logged, known, mirrored, seen, unleash, logIn },
    /** Tells the console that something has changed, as the watch over ownership does, or that over the flags. */
    hint: (what: keyof Changes = 'ownership') => changes[what](),
    async sessionOf(name: keyof typeof SECRETS): Promise<Session> {
      const answer = await logIn(name, SECRETS[name])
      const { csrf } = (await answer.json()) as { csrf: string }
      return { cookie: answer.headers.getSetCookie()[0]!.split(';')[0]!, csrf }
    },
    act: (path: string, body: object, session: Partial<Session>, headers: Record<string, string> = {}) =>
      fetch(`${url}/console/contexts/${path}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(session.cookie ? { cookie: session.cookie } : {}),
          ...(session.csrf ? { 'x-csrf-token': session.csrf } : {}),
          ...headers,
        },
        body: JSON.stringify(body),
      }),
    open: ({ cookie }: Session) => openEvents(`${url}/console/events`, { cookie }),
    logOut: ({ cookie }: Pick<Session, 'cookie'>, headers: Record<string, string> = {}) =>
      fetch(`${url}/console/logout`, { method: 'POST', headers: { cookie, ...headers } }),
    /** Lines come when they come: a login's may stand after that of what was done with it. */
    auditSays: (what: string, result: string) =>
      until(`the audit says ${what} ${result}`, async () => {
        const { rows } = await control.query(
          'select id::float8 as id from banyan.audit where id > $1 and what = $2 and result = $3 order by id limit 1',
          [lastSaid, what, result],
        )
        lastSaid = rows[0]?.id ?? lastSaid
        return rows.length === 1
      }),
    auditOf: async (what: string) =>
      (await control.query('select * from banyan.audit where what = $1 order by id desc limit 1', [what])).rows[0],
    reads: async () => (await control.query('select reads from banyan.contexts')).rows[0].reads,
    async close() {
      ops.close()
      server.closeAllConnections()
      server.close()
      await pool.end()
      await control.query(`drop owned by ${role}; drop role ${role}`)
      await control.end()
      await database.drop()
    },
  }
}

export const codeOf = async (answer: Response) => [answer.status, ((await answer.json()) as { code: string }).code]
