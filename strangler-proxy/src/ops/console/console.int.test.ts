import { randomBytes } from 'node:crypto'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createHealth, createLogger, createMetrics } from '@banyan/kit/service'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { installControlDatabase } from '../../../../migrations/src/control/install.ts'
import { createTestDatabase, loginClause } from '../../../../tests/support/infra.ts'
import { until } from '../../../test-support/raw.ts'
import { ownershipOf } from '../../../test-support/start-proxy.ts'
import { createOpsApp, type Ops } from '../app.ts'
import type { RoutingSources } from '../routing.ts'
import { hashSecret } from './secret.ts'
import { createTraffic } from './traffic.ts'

const SECRETS = { ann: 'the secret of ann', vic: 'the secret of vic' }
const role = `console_${randomBytes(4).toString('hex')}`
let database: Awaited<ReturnType<typeof createTestDatabase>>
let control: pg.Pool
let pool: pg.Pool
let ops: Ops
let server: Server
let url: string
let shares: [string, number][]
let unleashFails: boolean
let hint: () => void
const known = new Map([['goods', ownershipOf('goods', { phase: 'ready' })]])
const SAMPLE = { context: 'goods', method: 'GET', url: '/api/goods', headers: {}, signedIn: false, differences: [] }
const GROUP = {
  ...{ side: 'service', context: 'goods', isUp: () => true },
  instances: () => [
    { url: 'http://one', healthy: true, downUntil: 0, load: 2 },
    { url: 'http://two', healthy: true, downUntil: Number.POSITIVE_INFINITY, load: 0 },
    { url: 'http://three', healthy: false, downUntil: 0, load: 0 },
  ],
}
const logged: object[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  control = new pg.Pool({ connectionString: database.url })
  control.on('error', () => undefined)
  await control.query(`create role ${role} ${loginClause()}`)
  const client = await control.connect()
  await installControlDatabase(client, ['goods'], { proxies: [role] })
  client.release()
  const asProxy = new URL(database.url)
  asProxy.username = role
  pool = new pg.Pool({ connectionString: asProxy.href })
  pool.on('error', () => undefined)
  const logger = createLogger({ name: 'console under test', level: 'silent' })
  logger.warn = ((line: object) => logged.push(line)) as never
  ops = createOpsApp({
    sources: sources(),
    pool,
    token: 'a token of the operators',
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
      traffic: createTraffic(),
      flagAdmin: {
        async setShare(flag: string, percent: number) {
          if (unleashFails) throw new Error('Unleash answered 404')
          shares.push([flag, percent])
        },
      } as never,
    },
  })
  server = createServer(ops.app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
beforeEach(async () => {
  shares = []
  unleashFails = false
  logged.length = 0
  await control.query(`update banyan.intents set state = 'done', settled_at = now() where state = 'pending'`)
})
afterAll(async () => {
  ops.close()
  server.closeAllConnections()
  server.close()
  await pool.end()
  await control.query(`drop owned by ${role}; drop role ${role}`)
  await control.end()
  await database.drop()
})

function sources(): RoutingSources {
  return {
    ownership: {
      get: (context: string) => known.get(context),
      staleMs: () => 10,
      leaseValid: () => true,
      on: (_change: string, listener: () => void) => {
        hint = listener
        return () => undefined
      },
    },
    flags: { share: () => 5, freshness: () => ({ lastFetchMs: 1, ok: true, error: null }), on: () => () => undefined },
    hold: { stats: () => ({ waiting: 0 }) },
    inFlight: { count: () => 0 },
    upstreams: { all: () => ({ monolith: [] }), groups: () => [GROUP] },
    recorder: { state: () => ({ on: false }) },
    mirror: { state: () => ({ mirrored: 7, mismatched: 1 }), samples: { list: () => [SAMPLE] } },
    contexts: ['goods'],
  } as never
}

type Session = { cookie: string; csrf: string }
const logIn = (name: string, secret: string, headers: Record<string, string> = {}) =>
  fetch(`${url}/console/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ name, secret }),
  })
async function sessionOf(name: keyof typeof SECRETS): Promise<Session> {
  const answer = await logIn(name, SECRETS[name])
  const { csrf } = (await answer.json()) as { csrf: string }
  return { cookie: answer.headers.getSetCookie()[0]!.split(';')[0]!, csrf }
}
const act = (path: string, body: object, session: Partial<Session>, headers: Record<string, string> = {}) =>
  fetch(`${url}/console/contexts/${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(session.cookie ? { cookie: session.cookie } : {}),
      ...(session.csrf ? { 'x-csrf-token': session.csrf } : {}),
      ...headers,
    },
    body: JSON.stringify(body),
  })
const codeOf = async (answer: Response) => [answer.status, ((await answer.json()) as { code: string }).code]
let lastSaid = 0
/** Lines come when they come: a login's may stand after that of what was done with it. */
const auditSays = (what: string, result: string) =>
  until(`the audit says ${what} ${result}`, async () => {
    const { rows } = await control.query(
      'select id::float8 as id from banyan.audit where id > $1 and what = $2 and result = $3 order by id limit 1',
      [lastSaid, what, result],
    )
    lastSaid = rows[0]?.id ?? lastSaid
    return rows.length === 1
  })
const SWITCH = { verb: 'switch', why: 'a quiet hour' }
const ACTIONS = [
  ['goods/reads', { reads: 'owner' }],
  ['goods/share', { percent: 5 }],
  ['goods/owner', SWITCH],
  ['goods/call-off', { why: 'a test' }],
] as const

describe('the login', () => {
  it('gives a session in a cookie that no script and no other site can use, and ends it', async () => {
    const answer = await logIn('ann', SECRETS.ann)
    expect(await answer.json()).toMatchObject({ name: 'ann', role: 'operator' })
    const [cookie = ''] = answer.headers.getSetCookie()
    expect(cookie).toMatch(/^banyan-console=[\w-]{43}; Max-Age=60; Path=\/console; HttpOnly; SameSite=Strict$/)
    await auditSays('login', 'done')
    const header = { cookie: cookie.split(';')[0]! }
    const who = () => fetch(`${url}/console/session`, { headers: header })
    expect((await who()).status).toBe(200)
    const logOut = (more = {}) => fetch(`${url}/console/logout`, { method: 'POST', headers: { ...header, ...more } })
    expect(await codeOf(await logOut({ origin: 'http://evil.example' }))).toEqual([403, 'no-proof'])
    expect((await logOut()).status).toBe(204)
    expect(await codeOf(await who())).toEqual([401, 'no-session'])
    expect((await fetch(`${url}/console/session`, { headers: { cookie: 'banyan-console=forged' } })).status).toBe(401)
  })

  it('of a wrong secret or name is refused alike, logged, and slowed down for the right one too', async () => {
    expect(await codeOf(await logIn('ann', 'a wrong secret'))).toEqual([401, 'wrong-login'])
    const early = await logIn('ann', SECRETS.ann)
    expect(early.headers.get('retry-after')).toBe('1')
    expect(await codeOf(early)).toEqual([429, 'too-soon'])
    expect(logged).toContainEqual({ address: expect.stringContaining('127.0.0.1'), who: 'ann' })
    await auditSays('login', 'refused')
    await until('the wait is over', async () => (await logIn('a secret typed as a name', 'x')).status === 401)
    expect(JSON.stringify(logged)).not.toContain('typed as a name')
    await until('the right one comes in', async () => (await logIn('ann', SECRETS.ann)).status === 200)
  })

  it('is not taken from another site', async () => {
    for (const headers of [{ origin: 'http://evil.example' }, { 'sec-fetch-site': 'cross-site' }])
      expect(await codeOf(await logIn('ann', SECRETS.ann, headers as never))).toEqual([403, 'no-proof'])
  })
})

describe('an action', () => {
  it('without a session is refused', async () => {
    for (const path of ['goods/reads', 'goods/share', 'goods/owner', 'goods/call-off'])
      expect(await codeOf(await act(path, {}, {}))).toEqual([401, 'no-session'])
    for (const path of ['events', 'audit', 'session'])
      expect((await fetch(`${url}/console/${path}`)).status, path).toBe(401)
  })

  it('without the page’s proof, or from another site, is refused, and stands in the audit', async () => {
    const { cookie, csrf } = await sessionOf('ann')
    const attempts: [Partial<Session>, Record<string, string>][] = [
      [{ cookie }, {}],
      [{ cookie, csrf: `${csrf}x` }, {}],
      [{ cookie, csrf }, { origin: 'http://evil.example' }],
      [{ cookie, csrf }, { 'sec-fetch-site': 'same-site' }],
    ]
    for (const [session, headers] of attempts) {
      expect(await codeOf(await act('goods/reads', { reads: 'owner' }, session, headers))).toEqual([403, 'no-proof'])
      await auditSays('console: reads', 'refused')
    }
    expect(await auditOf('console: reads')).toMatchObject({ who: 'ann', context: 'goods', result: 'refused' })
    for (const [path, body] of ACTIONS)
      expect(await codeOf(await act(path, body, { cookie })), path).toEqual([403, 'no-proof'])
    expect([await reads(), shares]).toEqual(['flag', []])
  })

  it('of a viewer is refused, and stands in the audit', async () => {
    const viewer = await sessionOf('vic')
    for (const [path, body] of ACTIONS) {
      expect(await codeOf(await act(path, body, viewer))).toEqual([403, 'not-an-operator'])
      await auditSays(`console: ${path.split('/')[1]}`, 'refused')
    }
    expect([await reads(), shares]).toEqual(['flag', []])
  })

  it('is POST alone', async () => {
    const { cookie } = await sessionOf('ann')
    for (const path of ['reads', 'share', 'owner'])
      expect((await fetch(`${url}/console/contexts/goods/${path}`, { headers: { cookie } })).status).toBe(404)
  })

  it('pulls the kill switch in the operator’s name', async () => {
    const ann = await sessionOf('ann')
    expect((await act('goods/reads', { reads: 'owner', why: 'it is slow' }, ann)).status).toBe(200)
    expect(await reads()).toBe('owner')
    expect(await auditOf('reads')).toMatchObject({
      who: 'ann',
      what: 'reads',
      why: 'it is slow',
      result: 'done',
    })
    await act('goods/reads', { reads: 'flag' }, ann)
  })

  it('sets a share in Unleash, and refuses one that is none, or whose time has not come', async () => {
    const ann = await sessionOf('ann')
    expect((await act('goods/share', { percent: 25 }, ann)).status).toBe(200)
    expect(shares).toEqual([['goods-reads', 25]])
    expect(await auditOf('shift')).toMatchObject({
      ...{ who: 'ann', what: 'shift', context: 'goods' },
      ...{ old: { 'goods-reads': 5 }, new: { 'goods-reads': 25 } },
    })
    for (const percent of [-1, 101, 2.5, '25', null]) {
      const answer = await act('goods/share', { percent }, ann)
      expect(answer.headers.get('content-type')).toContain('application/problem+json')
      expect(JSON.stringify(await answer.json()), String(percent)).toContain('must be a whole number from 0 to 100')
      expect(answer.status).toBe(422)
    }
    expect(await codeOf(await act('nobody/share', { percent: 1 }, ann))).toEqual([404, 'unknown-context'])
    known.set('goods', ownershipOf('goods', { phase: 'copying' }))
    expect(await codeOf(await act('goods/share', { percent: 1 }, ann))).toEqual([409, 'refused'])
    known.set('goods', ownershipOf('goods', { phase: 'ready' }))
    unleashFails = true
    expect(await codeOf(await act('goods/share', { percent: 1 }, ann))).toEqual([502, 'unleash-refused'])
    expect(await auditOf('shift')).toMatchObject({ result: 'failed' })
    expect(shares).toEqual([['goods-reads', 25]])
  })

  it('asks for a switch as the command line does, by name and with a reason, while a mover runs', async () => {
    const ann = await sessionOf('ann')
    expect(await codeOf(await act('goods/owner', SWITCH, ann))).toEqual([409, 'no-mover'])
    const mover = await leading()
    expect((await act('goods/owner', { verb: 'switch', why: ' ' }, ann)).status).toBe(422)
    expect((await act('goods/owner', { verb: 'switch' }, ann)).status).toBe(422)
    expect((await act('goods/owner', { ...SWITCH, verb: 'complete' }, ann)).status).toBe(422)
    expect((await act('goods/owner', SWITCH, ann)).status).toBe(202)
    expect(await lastIntent()).toMatchObject({
      verb: 'switch',
      source: 'console',
      who: 'ann',
      args: {},
      state: 'pending',
    })
    const again = await act('goods/owner', { ...SWITCH, verb: 'rollback' }, ann)
    expect(await again.json()).toMatchObject({ detail: 'The rollback waits for the switch that ann asked for to end.' })
    expect((await act('goods/call-off', {}, ann)).status).toBe(422)
    expect((await act('goods/call-off', { why: 'changed my mind' }, ann)).status).toBe(202)
    expect(await lastIntent()).toMatchObject({ state: 'cancelled' })
    expect(await auditOf('abort')).toMatchObject({ who: 'ann', result: 'cancelled' })
    expect(await codeOf(await act('goods/call-off', { why: 'once more' }, ann))).toEqual([409, 'refused'])
    await act('goods/owner', { ...SWITCH, withoutParity: true }, ann)
    expect(await lastIntent()).toMatchObject({ args: { withoutParity: 'a quiet hour' } })
    mover.release(true)
  })

  it('has no right in the control database beyond that', async () => {
    const refused = [
      "insert into banyan.intents (context, verb, source, who) values ('goods', 'complete', 'cli', 'x')",
      "select banyan.ask('goods', 'complete', '{}', 'cli', 'x', 'y')",
      'select * from banyan.intents',
      'select * from banyan.verifications',
      "update banyan.contexts set owner = 'service'",
      'delete from banyan.audit',
    ]
    for (const statement of refused) await expect(pool.query(statement), statement).rejects.toThrow('permission denied')
    for (const [verb, who, why] of [
      ['complete', 'ann', 'why'],
      ['switch', ' ', 'why'],
      ['switch', 'ann', null],
    ])
      await expect(
        pool.query('select banyan.ask_at_console($1, $2, $3, $4, false)', ['goods', verb, who, why]),
      ).rejects.toThrow('asks for a switch or rollback')
  })
})

describe('the stream', () => {
  it('shows what the mover waits for, and how it ended; it ends with its session', async () => {
    const ann = await sessionOf('ann')
    const stream = await open(ann)
    expect((await stream.next('history')).traffic).toBeInstanceOf(Array)
    await stream.state(({ contexts }) =>
      expect(contexts).toMatchObject([{ context: 'goods', phase: 'ready', intent: null }]),
    )
    await control.query(`insert into banyan.intents (context, verb, source, who, waits_for)
      values ('goods', 'switch', 'cli', 'bob', 'a clean verification')`)
    hint()
    await stream.state(({ contexts }) =>
      expect(contexts).toMatchObject([{ intent: { who: 'bob', waitsFor: 'a clean verification' } }]),
    )
    const because = 'a clean verification: banyan verify'
    await control.query(
      `update banyan.intents set state = 'refused', settled_at = now(), result = jsonb_build_object('because', $1::text)
       where state = 'pending'`,
      [because],
    )
    await stream.state(({ contexts }) =>
      expect(contexts).toMatchObject([{ intent: null, last: { state: 'refused', because } }]),
    )
    await fetch(`${url}/console/logout`, { method: 'POST', headers: { cookie: ann.cookie } })
    await stream.ended
  })

  it('tells which instances are asked, and why others are not', async () => {
    const ann = await sessionOf('ann')
    const stream = await open(ann)
    expect((await stream.next('state')).upstreams).toMatchObject([
      {
        ...{ side: 'service', context: 'goods', up: true },
        instances: [{ state: 'answers' }, { state: 'put aside after failures' }, { state: 'fails its checks' }],
      },
    ])
    await fetch(`${url}/console/logout`, { method: 'POST', headers: { cookie: ann.cookie } })
    await stream.ended
  })

  it('tells what mirrored reads showed, and beside it what differed', async () => {
    const ann = await sessionOf('ann')
    const stream = await open(ann)
    expect((await stream.next('state')).mirror).toMatchObject([{ context: 'goods', mirrored: 7, mismatched: 1 }])
    const samples = () => fetch(`${url}/console/mirror/samples`, { headers: { cookie: ann.cookie } })
    expect(await (await samples()).json()).toMatchObject({
      samples: [{ ...SAMPLE, replay: expect.stringContaining('curl') }],
    })
    await fetch(`${url}/console/logout`, { method: 'POST', headers: { cookie: ann.cookie } })
    await stream.ended
    expect((await samples()).status).toBe(401)
  })

  it('says that the control database does not let it see, and goes on', async () => {
    await control.query(`revoke execute on function banyan.console_state() from ${role}`)
    const ann = await sessionOf('ann')
    const stream = await open(ann)
    await stream.state(({ control: said, contexts }) => {
      expect(said).toMatchObject({ error: expect.stringContaining('banyan init') })
      expect(contexts).toMatchObject([{ context: 'goods', phase: 'ready' }])
    })
    await control.query(`grant execute on function banyan.console_state() to ${role}`)
    await fetch(`${url}/console/logout`, { method: 'POST', headers: { cookie: ann.cookie } })
    await stream.ended
  })

  it('is one of at most so many, and all end when the proxy stops', async () => {
    const ann = await sessionOf('ann')
    const streams = await Promise.all(Array.from({ length: 32 }, () => open(ann)))
    expect(await codeOf(await fetch(`${url}/console/events`, { headers: { cookie: ann.cookie } }))).toEqual([
      503,
      'too-many-pages',
    ])
    ops.close()
    await Promise.all(streams.map((one) => one.ended))
  })
})

describe('the page', () => {
  it('runs nothing but its own files, and shows nobody anything before the login', async () => {
    const answer = await fetch(url)
    expect(answer.url).toBe(`${url}/console/`)
    expect(answer.headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    )
    const html = await answer.text()
    expect(html).not.toMatch(/<script(?![^>]*src=)|\son\w+=|style=|https?:/)
    for (const [, file] of html.matchAll(/(?:src|href)="([\w.-]+)"/g))
      expect((await fetch(`${url}/console/${file}`)).status, file).toBe(200)
    expect((await fetch(`${url}/console/..%2fpackage.json`)).status).not.toBe(200)
  })
})

async function leading(): Promise<pg.PoolClient> {
  const client = await control.connect()
  await client.query('select pg_advisory_lock(1650552441)')
  return client
}
const reads = async () => (await control.query('select reads from banyan.contexts')).rows[0].reads
const auditOf = async (what: string) =>
  (await control.query('select * from banyan.audit where what = $1 order by id desc limit 1', [what])).rows[0]
const lastIntent = async () => (await control.query('select * from banyan.intents order by id desc limit 1')).rows[0]

/** Events of the stream in their order; those of another name in between are passed over. */
async function open({ cookie }: Session) {
  const answer = await fetch(`${url}/console/events`, { headers: { cookie } })
  expect(answer.headers.get('content-type')).toContain('text/event-stream')
  const ended = Promise.withResolvers<void>()
  const events: { name: string; data: string }[] = []
  let wake: () => void = () => undefined
  void (async () => {
    let text = ''
    for await (const part of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += part
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const [, name, data] = /event: (\w+)\ndata: (.*)/.exec(text.slice(0, end)) ?? []
        text = text.slice(end + 2)
        if (name && data) events.push({ name, data })
        wake()
      }
    }
    ended.resolve()
  })()
  const next = async (name: string): Promise<{ [part: string]: unknown }> => {
    for (;;) {
      const event = events.shift()
      if (event?.name === name) return JSON.parse(event.data)
      if (event === undefined)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
  }
  return {
    ended: ended.promise,
    next,
    /** Waits for a picture that is as wished; one that was being taken already may come before it. */
    async state(wish: (picture: { [part: string]: unknown }) => void): Promise<void> {
      for (let pictures = 1; ; pictures += 1) {
        const picture = await next('state')
        try {
          wish(picture)
          return
        } catch (error) {
          if (pictures === 10) throw error
        }
      }
    },
  }
}
