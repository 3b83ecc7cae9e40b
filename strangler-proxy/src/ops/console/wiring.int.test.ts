import { createFlagAdmin } from '@banyan/kit/flags/admin'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, makeTestFlag, testUnleash } from '../../../../tests/support/infra.ts'
import { installContexts } from '../../../test-support/install-contexts.ts'
import { until } from '../../../test-support/raw.ts'
import { startUpstream, type TestUpstream } from '../../../test-support/upstream.ts'
import { startWholeProxy } from '../../../test-support/whole-proxy.ts'
import { hashSecret } from './secret.ts'
import { openEvents } from './testing/events.ts'

// What the console does is tested beside it, put together by hand; here as the proxy starts it from its configuration.

const ROUTES = `
contexts: { consoled: goods-service }
routes:
  - { method: GET, path: /api/goods, context: consoled, access: read }
`
const SECRET = 'the secret of ann'
const FLAG = 'consoled-reads'

let database: Awaited<ReturnType<typeof createTestDatabase>>
let control: Awaited<ReturnType<typeof installContexts>>
let dropFlag: () => Promise<void>
let monolith: TestUpstream
let proxy: Awaited<ReturnType<typeof startWholeProxy>>
beforeAll(async () => {
  database = await createTestDatabase()
  control = await installContexts(database.url, ['consoled'])
  await control.query(`update banyan.contexts set phase = 'ready'`)
  dropFlag = await makeTestFlag(FLAG)
  monolith = await startUpstream('monolith')
  const unleash = testUnleash()
  proxy = await startWholeProxy({
    ...{ routes: ROUTES, controlUrl: database.url, unleash, monolith: monolith.url, services: {} },
    config: {
      CONSOLE_OPERATORS: [{ name: 'ann', role: 'operator', secret: await hashSecret(SECRET) }],
      CONSOLE_SESSION_MINUTES: 2,
      COOKIE_SECURE: true,
      OPS_TRUSTED_HOPS: 1,
      UNLEASH_ADMIN_TOKEN: unleash.adminToken,
    },
  })
})
afterAll(async () => {
  await proxy.close()
  await monolith.close()
  await dropFlag()
  await control.end()
  await database.drop()
})

const post = (path: string, body: object, headers = {}) =>
  fetch(`${proxy.opsUrl}/console/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

it('knows the operators, how long a session lasts, the flags and the traffic that the proxy is told and sees', async () => {
  const answer = await post('login', { name: 'ann', secret: SECRET })
  const [setCookie = ''] = answer.headers.getSetCookie()
  expect(setCookie).toMatch(/; Max-Age=120; Path=\/console; HttpOnly; SameSite=Strict; Secure$/)
  const { csrf } = (await answer.json()) as { csrf: string }
  const cookie = setCookie.split(';')[0]!

  const stream = await openEvents(`${proxy.opsUrl}/console/events`, { cookie })
  const set = await post('contexts/consoled/share', { percent: 35 }, { cookie, 'x-csrf-token': csrf })
  expect(set.status).toBe(200)
  const { url, adminToken } = testUnleash()
  expect(await createFlagAdmin({ url, adminToken, environment: 'development' }).share(FLAG)).toBe(35)
  const picture = async () => (await stream.next('state')) as { contexts: { flag: object }[]; traffic: Traffic }
  await until(
    'the flag that was set is shown',
    async () => {
      const [shown] = (await picture()).contexts
      return JSON.stringify(shown?.flag) === JSON.stringify({ name: FLAG, share: 35 })
    },
    20_000,
  )
  await until(
    'the requests of a second are shown',
    async () => {
      await fetch(`${proxy.url}/elsewhere`)
      return ((await picture()).traffic?.sides.monolith?.rate ?? 0) > 0
    },
    20_000,
  )
  await post('logout', {}, { cookie })
  await stream.ended
})

it('knows who logs in from the proxies in front of its own listener', async () => {
  await post('login', { name: 'ann', secret: 'wrong' }, { 'x-forwarded-for': '203.0.113.9' })
  await until('the audit has it', async () => {
    const { rows } = await control.query(`select why from banyan.audit where what = 'login' and result = 'refused'`)
    return JSON.stringify(rows) === JSON.stringify([{ why: 'from 203.0.113.9' }])
  })
})

type Traffic = { sides: { monolith?: { rate: number } } } | null
