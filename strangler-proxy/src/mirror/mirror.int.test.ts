import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createFlagAdmin, type FlagAdmin } from '@banyan/kit/flags/admin'
import type { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase, makeTestFlag, testUnleash } from '../../../tests/support/infra.ts'
import { installContexts } from '../../test-support/install-contexts.ts'
import { until } from '../../test-support/raw.ts'
import { startUpstream, type TestUpstream } from '../../test-support/upstream.ts'
import { OPS_TOKEN, startWholeProxy } from '../../test-support/whole-proxy.ts'
import type { MirrorState } from './mirror.ts'
import type { Kept } from './samples.ts'

const ROUTES = `
contexts: { mirrored: mirrored-service }
routes:
  - { method: GET, path: /api/things, context: mirrored, access: read }
`
const folder = mkdtempSync(join(tmpdir(), 'banyan-mirror-'))
const run = promisify(execFile)
let database: Awaited<ReturnType<typeof createTestDatabase>>
let control: Pool
let flags: FlagAdmin
let monolith: TestUpstream
let service: TestUpstream
let proxy: Awaited<ReturnType<typeof startWholeProxy>>
let beat: NodeJS.Timeout
let thing: { name: string; mail: string; costs: number }
let other: typeof thing
let dropFlag: () => Promise<void>

const ops = async (path: string, token = OPS_TOKEN) =>
  await fetch(proxy.opsUrl + path, { headers: { authorization: `Bearer ${token}` } })
type Page = { contexts: ({ context: string; flag: { share: number | null } } & MirrorState)[] }
const state = async () => ((await (await ops('/mirror')).json()) as Page).contexts[0]!
const samples = async () =>
  ((await (await ops('/mirror/samples')).json()) as { samples: (Kept & { replay: string })[] }).samples
const ask = (query = '', headers: Record<string, string> = {}) => fetch(`${proxy.url}/api/things${query}`, { headers })
/** A busy Unleash takes it at the second try. */
const setShare = (percent: number) =>
  until(
    'Unleash takes the flag',
    () =>
      flags.setShare('mirrored-shadow', percent).then(
        () => true,
        () => false,
      ),
    30_000,
  )
/** The mover's heartbeat, which says that all of before is on the other side. */
const heartbeat = () =>
  control.query(`update banyan.contexts set heartbeat_applied = clock_timestamp() where context = 'mirrored'`)

beforeAll(async () => {
  database = await createTestDatabase()
  control = await installContexts(database.url, ['mirrored'])
  await control.query(`update banyan.contexts set phase = 'ready'`)
  const unleash = testUnleash()
  dropFlag = await makeTestFlag('mirrored-shadow')
  flags = createFlagAdmin({ url: unleash.url, adminToken: unleash.adminToken, environment: 'development' })
  const answer = (of: () => typeof thing) => (_req: unknown, res: import('node:http').ServerResponse) =>
    res.setHeader('content-type', 'application/json').end(JSON.stringify(of()))
  monolith = await startUpstream(
    'monolith',
    answer(() => thing),
  )
  service = await startUpstream(
    'service',
    answer(() => other),
  )
  proxy = await startWholeProxy({
    ...{ routes: ROUTES, controlUrl: database.url, unleash, mirrorInto: folder },
    ...{ monolith: monolith.url, services: { mirrored: service.url } },
  })
})
beforeEach(() => {
  thing = { name: 'Kettle', mail: 'planted@example.test', costs: 1999 }
  other = { ...thing }
  beat = setInterval(() => heartbeat().catch(() => undefined), 100)
})
afterEach(() => clearInterval(beat))
afterAll(async () => {
  await proxy.close()
  await monolith.close()
  await service.close()
  await dropFlag()
  await control.end()
  await database.drop()
  rmSync(folder, { recursive: true })
})

describe('mirroring by the flag in Unleash', () => {
  it('sends nothing at 0 %, compares at 100 %, and stops when the flag goes back', async () => {
    await ask()
    await setShare(100)
    await until('the proxy follows', async () => (await state()).flag.share === 100, 10_000)
    await until('it follows a heartbeat', async () => (await state()).waitsFor === null, 10_000)
    await ask('?on')
    await until('it is compared', async () => (await state()).compared === 1, 20_000)
    expect(service.seen.map(({ url }) => url)).toEqual(['/api/things?on'])
    await setShare(0)
    await until('the proxy follows', async () => (await state()).flag.share === 0, 10_000)
    await ask('?off')
    expect(await state()).toMatchObject({ mirrored: 1, compared: 1, mismatched: 0, verdicts: { same: 1 } })
  })

  it('keeps a mismatch masked, in a file too, and its command finds it again, and that it is mended', async () => {
    await setShare(100)
    await until('the proxy follows', async () => (await state()).flag.share === 100, 10_000)
    other = { ...thing, costs: 20 }
    await ask(`?q=it's&size=2`, { authorization: 'Bearer planted-token', accept: 'application/json' })
    await until('it is found', async () => (await state()).mismatched === 1, 20_000)
    // The second one comes too soon after the first, which is told before what it asks for.
    for (const [path, status] of [
      ['/mirror/samples', 401],
      ['/mirror', 429],
    ] as const)
      expect((await ops(path, 'another token')).status).toBe(status)
    const [sample, ...more] = await samples()
    expect(more).toEqual([])
    expect(sample).toMatchObject({
      answers: { owner: { body: { name: 'Kettle', costs: 1999 } }, other: { body: { costs: 20 } } },
      differences: [{ path: '$.body.costs', kind: 'value', left: 1999, right: 20 }],
    })
    expect(JSON.stringify(sample)).not.toContain('planted')
    const file = join(folder, `${sample!.id}.json`)
    await until('it is on disk', () => readdirSync(folder).includes(`${sample!.id}.json`))
    expect(statSync(file).mode & 0o777).toBe(0o600)
    await until('it is whole', () => readFileSync(file, 'utf8').endsWith('}'))

    const replay = async () => {
      const env = { PATH: process.env.PATH, OPS_TOKEN, TOKEN: 'another-token' }
      return JSON.parse((await run('sh', ['-c', sample!.replay], { env })).stdout)
    }
    expect(await replay()).toMatchObject({ differs: true, differences: sample!.differences })
    expect(service.seen.at(-1)).toMatchObject({
      url: `/api/things?q=it's&size=2`,
      headers: { authorization: 'Bearer another-token' },
    })
    other = { ...thing }
    expect(await replay()).toMatchObject({ differs: false, differences: [] })
    expect(await state()).toMatchObject({ mismatched: 1 })
  })

  it('asks both sides again for nothing but reads of the route table', async () => {
    const again = async (body: object) =>
      (
        await fetch(`${proxy.opsUrl}/mirror/replay`, {
          method: 'POST',
          headers: { authorization: `Bearer ${OPS_TOKEN}`, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
      ).status
    expect(await again({ method: 'GET', url: '/api/things' })).toBe(200)
    expect(await again({ method: 'POST', url: '/api/things' })).toBe(422)
    expect(await again({ method: 'GET', url: '/internal/things' })).toBe(422)
    expect(await again({ method: 'GET', url: '//127.0.0.1/api/things' })).toBe(422)
    expect(await again({ method: 'GET', url: '/api/things', headers: { 'x-user-id': '1' } })).toBe(422)
  })
})
