import { createFlags, type Feature } from '@banyan/kit/flags'
import { createLogger } from '@banyan/kit/service'
import { expect, it } from 'vitest'
import { startProxy } from '../test-support/start-proxy.ts'
import { startUpstream } from '../test-support/upstream.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
`
const CLIENTS = 40
const REQUESTS = 25
const half = {
  ...{ name: 'goods-reads', enabled: true, type: 'release', project: 'default', stale: false },
  ...{ impressionData: false, variants: [] },
  strategies: [
    {
      name: 'flexibleRollout',
      parameters: { rollout: '50', stickiness: 'default', groupId: 'goods-reads' },
      constraints: [],
    },
  ],
} as unknown as Feature

it('an anonymous client that keeps its cookie stays on its side, request after request, and so does the share', async () => {
  const flags = createFlags({
    ...{ url: 'http://127.0.0.1:9/api', token: 'x', appName: 'test', environment: 'development' },
    ...{ metrics: false, refreshMs: 60_000, bootstrap: [half] },
    logger: createLogger({ name: 'test', level: 'silent' }),
  })
  await flags.ready
  const [monolith, service] = [await startUpstream('monolith'), await startUpstream('service')]
  const proxy = await startProxy({
    ...{ routes: ROUTES, monolith: monolith.url, services: { goods: service.url } },
    flag: (context, who) => flags.isOn(`${context}-reads`, who),
  })
  proxy.own('goods', { phase: 'ready', heartbeatApplied: new Date() })
  const client = async () => {
    const sides: string[] = []
    let cookie = ''
    while (sides.length < REQUESTS) {
      const answer = await fetch(`${proxy.url}/api/goods`, cookie ? { headers: { cookie } } : {})
      const [given] = answer.headers.getSetCookie()
      // It is given one cookie, with its first answer.
      expect(given === undefined).toBe(cookie !== '')
      cookie ||= given!.split(';')[0]!
      sides.push(((await answer.json()) as { name: string }).name)
    }
    return new Set(sides)
  }
  const all = await Promise.all(Array.from({ length: CLIENTS }, client))
  for (const sides of all) expect(sides.size).toBe(1)
  const there = all.filter((sides) => sides.has('service')).length
  // Half of them, within what chance makes of forty: five standard deviations.
  expect(Math.abs(there - CLIENTS / 2)).toBeLessThan(16)
  for (const one of [proxy, monolith, service, flags]) await one.close()
}, 120_000)
