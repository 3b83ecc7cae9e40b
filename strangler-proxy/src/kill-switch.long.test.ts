import { createFlagAdmin } from '@banyan/kit/flags/admin'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase, makeTestFlag, testUnleash } from '../../tests/support/infra.ts'
import { type Readers, startReaders, within } from '../../tests/support/misrouted.ts'
import { installContexts } from '../test-support/install-contexts.ts'
import { startUpstream, type TestUpstream } from '../test-support/upstream.ts'
import { OPS_TOKEN, startWholeProxy } from '../test-support/whole-proxy.ts'

const ROUTES = `
contexts: { thrown: goods-service }
routes:
  - { method: GET, path: /api/goods, context: thrown, access: read }
`
const FLAG = 'thrown-reads'
const FLIPS = 200
const UNLEASH_FLIPS = 20
/** How often Unleash itself looks for what has changed. */
const UNLEASH_POLL_MS = 1_000

let database: Awaited<ReturnType<typeof createTestDatabase>>
let control: Awaited<ReturnType<typeof installContexts>>
let dropFlag: () => Promise<void>
const sides: TestUpstream[] = []
let proxy: Awaited<ReturnType<typeof startWholeProxy>>
let readers: Readers
const unleash = testUnleash()
const flags = createFlagAdmin({ url: unleash.url, adminToken: unleash.adminToken, environment: 'development' })
const flagged = (percent: number) => () => flags.setShare(FLAG, percent)

beforeAll(async () => {
  database = await createTestDatabase()
  control = await installContexts(database.url, ['thrown'])
  await control.query(`update banyan.contexts set phase = 'ready'`)
  dropFlag = await makeTestFlag(FLAG)
  for (const name of ['monolith', 'service'])
    sides.push(await startUpstream(name, (_req, res) => void res.setHeader('x-side', name).end()))
  const [monolith, service] = sides as [TestUpstream, TestUpstream]
  proxy = await startWholeProxy({
    ...{ routes: ROUTES, controlUrl: database.url, unleash },
    ...{ monolith: monolith.url, services: { thrown: service.url } },
  })
  await flags.setShare(FLAG, 100)
  readers = startReaders(`${proxy.url}/api/goods`)
  await readers.seen('service')
})
afterAll(async () => {
  await readers.end()
  await proxy.close()
  for (const one of sides) await one.close()
  await dropFlag()
  await control.end()
  await database.drop()
})

const thrown = (reads: 'owner' | 'flag') => async () => {
  const answer = await fetch(`${proxy.opsUrl}/contexts/thrown/reads`, {
    method: 'POST',
    headers: { authorization: `Bearer ${OPS_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ reads, why: 'a test' }),
  })
  expect(answer.status).toBe(200)
}

it(`the kill switch, thrown ${FLIPS} times: 99 in a hundred act within 100 ms of the click`, async () => {
  const times: number[] = []
  while (times.length < FLIPS) times.push(await readers.flip({ away: thrown('owner'), back: thrown('flag') }))
  expect(within(times, 0.99), times.map(Math.round).join(' ')).toBeLessThanOrEqual(100)
})

it('a flip in Unleash acts within its poll and half a second, each time', async () => {
  const times: number[] = []
  while (times.length < UNLEASH_FLIPS) times.push(await readers.flip({ away: flagged(0), back: flagged(100) }))
  expect(Math.max(...times), times.map(Math.round).join(' ')).toBeLessThanOrEqual(UNLEASH_POLL_MS + 500)
})
