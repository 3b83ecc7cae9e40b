import { createFlags, type Feature } from '@banyan/kit/flags'
import { createLogger } from '@banyan/kit/service'
import { startProxy } from './start-proxy.ts'
import { startUpstream } from './upstream.ts'

const ROUTES = `
contexts: { goods: goods-service }
routes:
  - { method: GET, path: /api/goods, context: goods, access: read }
`
const AT_ONCE = 40
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

export interface Seen {
  /** Answers that came from another side than the first one of the same client. */
  readonly flips: number
  /** Cookies that were given to who had one. */
  readonly givenAgain: number
  /** Of all clients' first requests, of their second ones, and so on: the part that the service answered, from 0 to 1. */
  readonly shares: readonly number[]
}

/** Lets clients without a name, each with the cookie that it was given, ask a proxy that sends half of them to the service. */
export async function watchAnonymous(clients: number, requests: number): Promise<Seen> {
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
  const answeredThere = new Array<number>(requests).fill(0)
  let flips = 0
  let givenAgain = 0
  const client = async () => {
    let first: string | undefined
    let cookie = ''
    for (let time = 0; time < requests; time += 1) {
      const answer = await fetch(`${proxy.url}/api/goods`, cookie ? { headers: { cookie } } : {})
      const [given] = answer.headers.getSetCookie()
      if (cookie !== '' && given !== undefined) givenAgain += 1
      cookie ||= given!.split(';')[0]!
      const { name } = (await answer.json()) as { name: string }
      first ??= name
      if (name !== first) flips += 1
      if (name === 'service') answeredThere[time]! += 1
    }
  }
  let left = clients
  const some = async () => {
    while (left-- > 0) await client()
  }
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, some))
  } finally {
    for (const one of [proxy, monolith, service, flags]) await one.close()
  }
  return { flips, givenAgain, shares: answeredThere.map((count) => count / clients) }
}
