import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Unleash } from 'unleash-client'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { testUnleash } from '../../tests/support/infra.ts'
import { createLogger } from '../service/index.ts'
import { createFlags, type Flags, type FlagsOptions } from './index.ts'
import { faulty } from './testing/faulty.ts'

const logger = createLogger({ name: 'test', level: 'silent' })
const within = { timeout: 6_000, interval: 20 }
const environment = 'development'

let flag: string
let open: { close(): Promise<void> }[]

async function admin(method: string, path: string, body?: unknown): Promise<void> {
  const { url, adminToken } = testUnleash()
  const response = await fetch(`${url}/admin/projects/default/features${path}`, {
    method,
    headers: { authorization: adminToken, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
}

const rollout = (share: number) => ({
  name: 'flexibleRollout',
  parameters: { rollout: String(share), stickiness: 'default', groupId: flag },
})

function flags(options: Partial<FlagsOptions> = {}): Flags {
  const { url, clientToken } = testUnleash()
  const made = createFlags({
    url,
    token: clientToken,
    appName: `test-${randomUUID()}`,
    environment,
    refreshMs: 100,
    metrics: false,
    logger,
    ...options,
  })
  open.push(made)
  return made
}

beforeEach(async () => {
  open = []
  flag = `test-${randomUUID()}-reads`
  await admin('POST', '', { name: flag, type: 'release' })
  await admin('POST', `/${flag}/environments/${environment}/strategies`, rollout(25))
  await admin('POST', `/${flag}/environments/${environment}/on`)
})

afterEach(async () => {
  for (const one of open) await one.close()
  await admin('DELETE', `/${flag}`)
})

const seen = (one: Flags) => vi.waitFor(() => expect(one.definition(flag)).not.toBeNull(), within)

describe('flags', () => {
  it('decide for every user and every anonymous session as the SDK alone does', async () => {
    const ours = flags()
    const { url, clientToken } = testUnleash()
    const backupPath = await mkdtemp(join(tmpdir(), 'banyan-sdk-'))
    const sdk = new Unleash({
      url,
      appName: 'test-sdk',
      environment,
      customHeaders: { Authorization: clientToken },
      disableMetrics: true,
      refreshInterval: 1_000,
      backupPath,
    })
    await new Promise((resolve) => sdk.once('synchronized', resolve))
    await ours.ready
    await seen(ours)
    let on = 0
    for (let id = 0; id < 10_000; id++) {
      const user = { userId: `u${id}` }
      const session = { sessionId: `s${id}` }
      expect(ours.isOn(flag, user)).toBe(sdk.isEnabled(flag, user))
      expect(ours.isOn(flag, session)).toBe(sdk.isEnabled(flag, session))
      if (ours.isOn(flag, user)) on++
    }
    sdk.destroy()
    await rm(backupPath, { recursive: true })
    expect(on / 10_000).toBeCloseTo(0.25, 1)
    expect(ours.isOn('unknown-flag', { userId: 'u1' })).toBe(false)
  })

  it('follow a flip within a poll, and tell the definition that a mover acts on', async () => {
    const ours = flags()
    await seen(ours)
    expect(ours.definition(flag)).toEqual({ name: flag, enabled: true, share: 25 })
    expect(ours.freshness()).toMatchObject({ ok: true, error: null, source: 'unleash' })
    const changed = vi.fn()
    ours.on('change', changed)
    await admin('POST', `/${flag}/environments/${environment}/off`)
    await vi.waitFor(() => expect(ours.definition(flag)).toMatchObject({ enabled: false, share: 0 }), within)
    expect(changed).toHaveBeenCalled()
    expect(ours.isOn(flag, { userId: 'u1' })).toBe(false)
    expect(ours.share('unknown-flag')).toBeNull()
  })

  it('are counted when they are off, too, so that Unleash does not take them for forgotten', async () => {
    const count = vi.spyOn(Unleash.prototype, 'count')
    onTestFinished(() => count.mockRestore())
    const ours = flags()
    await seen(ours)
    await admin('POST', `/${flag}/environments/${environment}/off`)
    await vi.waitFor(() => expect(ours.definition(flag)).toMatchObject({ enabled: false }), within)
    expect(ours.isOn(flag, { userId: 'u1' })).toBe(false)
    expect(count.mock.calls).toEqual([[flag, false]])
  })

  it('start without Unleash, with what was bundled, and find it later', async () => {
    const { url, refuse, pass, close } = await faulty(testUnleash().url)
    open.push({ close })
    refuse('connection')
    const bundled = { name: flag, enabled: true, strategies: [{ ...rollout(100), constraints: [] }] }
    const ours = flags({ url, bootstrap: [bundled] })
    await ours.ready
    expect(ours.isOn(flag, { userId: 'anyone' })).toBe(true)
    expect(ours.freshness()).toMatchObject({ ok: false, lastFetchMs: null, source: 'bootstrap' })
    pass()
    await vi.waitFor(() => expect(ours.share(flag)).toBe(25), within)
    expect(ours.freshness()).toMatchObject({ ok: true, source: 'unleash' })
  })

  it('start without Unleash from what was known when the process last ran', async () => {
    const backupPath = await mkdtemp(join(tmpdir(), 'banyan-flags-'))
    const before = flags({ backupPath, appName: 'restarting' })
    await seen(before)
    await vi.waitFor(async () => expect(await readdir(backupPath)).toHaveLength(1), within)
    await before.close()
    const after = flags({ backupPath, appName: 'restarting', url: 'http://127.0.0.1:1/api' })
    await after.ready
    expect(after.share(flag)).toBe(25)
    expect(after.freshness()).toMatchObject({ ok: false, source: 'backup' })
    await rm(backupPath, { recursive: true })
  })

  it('serve on while Unleash hangs or breaks connections, and say how old they are', async () => {
    const { url, refuse, pass, close } = await faulty(testUnleash().url)
    open.push({ close })
    const ours = flags({ url })
    await seen(ours)
    refuse('connection')
    await vi.waitFor(() => expect(ours.freshness().ok).toBe(false), within)
    expect(ours.share(flag)).toBe(25)
    const { lastFetchMs } = ours.freshness()
    await vi.waitFor(() => expect(ours.freshness().lastFetchMs).toBeGreaterThan(lastFetchMs! + 50), within)
    pass()
    await vi.waitFor(() => expect(ours.freshness().ok).toBe(true), within)
  })

  it('keep asking after a 401, where the SDK alone would stop for good', async () => {
    const { url, refuse, pass, close } = await faulty(testUnleash().url)
    open.push({ close })
    const ours = flags({ url })
    await seen(ours)
    refuse('401')
    await vi.waitFor(() => expect(ours.freshness().error).toMatch(/^401/), within)
    expect(ours.share(flag)).toBe(25)
    pass()
    await vi.waitFor(() => expect(ours.freshness().ok).toBe(true), within)
    await admin('POST', `/${flag}/environments/${environment}/off`)
    await vi.waitFor(() => expect(ours.share(flag)).toBe(0), within)
  })

  it('keep the last known ones when Unleash was restored empty, and mark them', async () => {
    const { url, refuse, pass, close } = await faulty(testUnleash().url)
    open.push({ close })
    const ours = flags({ url })
    await seen(ours)
    refuse('empty')
    await vi.waitFor(
      () => expect(ours.freshness()).toMatchObject({ ok: false, error: expect.stringMatching(/^empty/) }),
      within,
    )
    expect(ours.share(flag)).toBe(25)
    pass()
    await vi.waitFor(() => expect(ours.freshness().ok).toBe(true), within)
  })

  it('keep the last known ones when the payload cannot be read', async () => {
    const { url, refuse, close } = await faulty(testUnleash().url)
    open.push({ close })
    const ours = flags({ url })
    await seen(ours)
    refuse('nonsense')
    await vi.waitFor(() => expect(ours.freshness().error).toMatch(/cannot be read/), within)
    expect(ours.share(flag)).toBe(25)
  })

  it('forget an archived flag, so that nobody acts on it', async () => {
    const ours = flags()
    await seen(ours)
    await admin('DELETE', `/${flag}`)
    const other = `${flag}-other`
    await admin('POST', '', { name: other, type: 'release' })
    await vi.waitFor(() => expect(ours.definition(flag)).toBeNull(), within)
    expect(ours.definition(other)).toEqual({ name: other, enabled: false, share: 0 })
    flag = other
  })

  it('close while Unleash hangs', async () => {
    const { url, refuse, close } = await faulty(testUnleash().url)
    refuse('hang')
    open.push({ close })
    const ours = flags({ url })
    const started = performance.now()
    await ours.close()
    expect(performance.now() - started).toBeLessThan(1_000)
    await ours.ready
  })
})
