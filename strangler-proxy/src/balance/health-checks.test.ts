import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../../test-support/raw.ts'
import { startUpstream } from '../../test-support/upstream.ts'
import { createGroup } from './group.ts'
import { startHealthChecks } from './health-checks.ts'
import { BALANCE } from './settings.ts'

const started: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of started.splice(0)) await one.close()
})

/** Instances that answer checks like this, one after the other; looked at every millisecond. */
async function checked(
  settings: { failures: number; passes: number; timeoutMs?: number },
  ...answers: ((req: IncomingMessage, res: ServerResponse) => void)[]
) {
  const upstreams = await Promise.all(answers.map((answer) => startUpstream('one', answer)))
  const group = createGroup('monolith', null, BALANCE, { ejected: () => undefined, breaker: () => undefined })
  group.set(upstreams.map(({ url }) => url))
  const health = { ...BALANCE.health, monolith: '/ready', intervalMs: 1, timeoutMs: 10_000, ...settings }
  started.push(
    startHealthChecks(() => [group], health),
    group,
    ...upstreams,
  )
  return group.instances()
}

describe('checks', () => {
  it('take an instance out after so many bad answers in a row, and back in after so many good ones', async () => {
    const script = '-+--++-+++++'
    const healthy: boolean[] = []
    const instances = await checked({ failures: 2, passes: 3 }, (_req, res) => {
      const good = script[healthy.length] !== '-'
      healthy.push(instances[0]!.healthy)
      res.writeHead(good ? 200 : 503).end()
    })
    await until('all were asked', () => healthy.length >= script.length)
    const seen = healthy.slice(0, script.length).map((one) => (one ? '+' : '-'))
    expect(seen.join('')).toBe('++++------++')
  })

  it('take a silent instance for a bad one', async () => {
    const [silent] = await checked({ failures: 1, passes: 1, timeoutMs: 50 }, () => undefined)
    await until('it is out', () => !silent!.healthy)
  })

  it('ask nobody a second time who has not answered the first', async () => {
    const asked = [0, 0]
    await checked(
      { failures: 1, passes: 1 },
      () => {
        asked[0]! += 1
      },
      (_req, res) => {
        asked[1]! += 1
        res.end()
      },
    )
    await until('the other one was asked', () => asked[1]! > 5)
    expect(asked[0]).toBe(1)
  })

  it('come on connections of their own', async () => {
    const ports: (number | undefined)[] = []
    await checked({ failures: 1, passes: 1 }, (req, res) => {
      ports.push(req.socket.remotePort)
      res.end()
    })
    await until('it was asked', () => ports.length >= 5)
    expect(new Set(ports).size).toBe(ports.length)
  })
})
