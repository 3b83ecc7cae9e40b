import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { newKey } from '../support/keys.ts'
import { until } from '../system/support/wait.ts'
import { type BenchProxy, startBanyan } from './proxy/banyan.ts'
import { type Part, startPart } from './proxy/processes.ts'
import { requestsOf } from './proxy/requests.ts'
import { median, type Row } from './row.ts'

/** Many short ones: what else the machine does for a moment falls into few of them, and the median leaves it out. */
const ROUNDS = 21
const SECONDS = 2
const CONNECTIONS = 32
/** Requests a second. */
const RATE = 200
const MOST_ADDED_MS = 1
const RECORDING = { share: 1, requests: 1_000_000, megabytes: 1_024, minutes: 60, why: 'a benchmark' }

/** What watches the traffic, and how a proxy is made that does. */
const OBSERVERS = {
  'a tenth of the reads mirrored': { shadow: 10, other: 'answers' },
  'all reads mirrored': { shadow: 100, other: 'answers' },
  'all reads mirrored to a side that hangs': { shadow: 100, other: 'hangs' },
  'all reads mirrored to a side that is down': { shadow: 100, other: 'is down' },
  'all sessions recorded': { shadow: 0, other: 'answers' },
} as const

/**
 * What comparing and recording add to what clients wait for: the same requests at the same steady rate through proxies
 * that observe and through one that does not, a round of each in turn. The added time is that of the same round.
 */
export async function benchObserving(): Promise<Row[]> {
  const key = newKey('bench')
  const upstream = startPart('upstream.ts')
  const url = `http://127.0.0.1:${await upstream.line()}`
  const load = startPart('load.ts')
  const hanging = createServer(() => undefined).listen(0, '127.0.0.1')
  await once(hanging, 'listening')
  const hangs = `http://127.0.0.1:${(hanging.address() as AddressInfo).port}`
  // Nobody listens at port 1.
  const others = { answers: url, hangs, 'is down': 'http://127.0.0.1:1' }
  const proxies: BenchProxy[] = []
  const start = async (shadow: number, service: string) => {
    const proxy = await startBanyan(url, key, { service, share: 0, shadow })
    proxies.push(proxy)
    return proxy
  }
  try {
    const quiet = await start(0, url)
    const observing: [string, BenchProxy][] = []
    for (const [what, { shadow, other }] of Object.entries(OBSERVERS)) {
      const proxy = await start(shadow, others[other])
      await until(`the flag of ${what}`, 30_000, async () => {
        const { flag, waitsFor } = await mirrorOf(proxy)
        return flag.share === shadow && waitsFor === null
      })
      if (shadow === 0) await proxy.ops('/recording', RECORDING)
      observing.push([what, proxy])
    }
    return await measure(load, requestsOf(key), quiet, observing)
  } finally {
    await Promise.all([load.end(), upstream.end(), ...proxies.map((proxy) => proxy.end())])
    hanging.closeAllConnections()
    hanging.close()
  }
}

async function measure(
  load: Part,
  requests: string[],
  quiet: BenchProxy,
  observing: readonly [string, BenchProxy][],
): Promise<Row[]> {
  const run = async ({ port }: BenchProxy): Promise<Latency> => {
    load.say(JSON.stringify({ port, seconds: SECONDS, connections: CONNECTIONS, rate: RATE, requests }))
    const { failed, ...latency } = JSON.parse(await load.line()) as Latency & { failed: number }
    if (failed > 0) throw new Error(`${failed} requests failed: whoever observes has changed what it observes`)
    return latency
  }
  for (const proxy of [quiet, ...observing.map(([, one]) => one)]) await run(proxy)
  const without: Latency[] = []
  const added = new Map<string, Latency[]>(observing.map(([what]) => [what, []]))
  for (let round = 0; round < ROUNDS; round += 1) {
    const calm = await run(quiet)
    without.push(calm)
    for (const [what, proxy] of observing) {
      const { p50Ms, p99Ms } = await run(proxy)
      added.get(what)!.push({ p50Ms: p50Ms - calm.p50Ms, p99Ms: p99Ms - calm.p99Ms })
    }
  }
  const base = medianOf(without)
  const rows: Row[] = []
  for (const [what, proxy] of observing) {
    const { p50Ms, p99Ms } = medianOf(added.get(what)!)
    rows.push({
      figure: `p99 of a request at ${RATE}/s, added by: ${what} (${await didOf(proxy)}); p50 ${p50Ms.toFixed(2)} ms`,
      ...{ value: p99Ms, unit: 'ms' },
      yardstick: `nothing observed: p99 ${base.p99Ms.toFixed(1)} ms, p50 ${base.p50Ms.toFixed(1)} ms`,
      ratio: (base.p99Ms + p99Ms) / base.p99Ms,
      target: `≤ ${MOST_ADDED_MS} ms`,
      ok: p99Ms <= MOST_ADDED_MS,
    })
  }
  return rows
}

interface Latency {
  readonly p50Ms: number
  readonly p99Ms: number
}

function medianOf(rounds: readonly Latency[]): Latency {
  return { p50Ms: median(rounds.map((one) => one.p50Ms)), p99Ms: median(rounds.map((one) => one.p99Ms)) }
}

type Mirrored = {
  flag: { share: number | null }
  waitsFor: string | null
  mirrored: number
  dropped: Record<string, number>
}

async function mirrorOf(proxy: BenchProxy): Promise<Mirrored> {
  const { contexts } = (await proxy.ops('/mirror')) as { contexts: [Mirrored] }
  return contexts[0]
}

/** How much there was to observe; nothing would prove nothing. */
async function didOf(proxy: BenchProxy): Promise<string> {
  const { mirrored, dropped } = await mirrorOf(proxy)
  const { recording } = (await proxy.ops('/routing')) as { recording: { on: boolean; written: number } }
  if (recording.on && recording.written > 0) return `${recording.written} written`
  if (mirrored === 0) throw new Error(`nothing was mirrored, but dropped: ${JSON.stringify(dropped)}`)
  const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0)
  return `${mirrored} copied, ${lost} dropped`
}
