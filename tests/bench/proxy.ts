import { newKey } from '../support/keys.ts'
import { startBanyan } from './proxy/banyan.ts'
import { type Part, startPart } from './proxy/processes.ts'
import { requestsOf } from './proxy/requests.ts'
import { median, type Row } from './row.ts'

const ROUNDS = Number(process.env.BENCH_PROXY_ROUNDS ?? 7)
const SECONDS = Number(process.env.BENCH_PROXY_SECONDS ?? 3)
/**
 * At half of capacity one stall of 30 ms is the whole 99th percentile of a round, whoever caused it: so there are more
 * of these rounds. They are no shorter, for a pause that a proxy makes every few seconds must not fall between them.
 */
const CALM_ROUNDS = Number(process.env.BENCH_PROXY_CALM_ROUNDS ?? 15)
const CONNECTIONS = 32
const TARGET = 0.8
/** Beside bare http-proxy-middleware: so many times its processor time, and so many milliseconds more at the 99th percentile. */
const CPU_TARGET = 1.1
const P99_TARGET_MS = 3

interface Result {
  readonly answered: number
  readonly failed: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** How late the load generator itself was, at its 99th percentile. */
  readonly late99Ms: number
  /** Microseconds of the proxy's processor time per request. */
  readonly cpuUs: number
}

/**
 * The proxy with everything on beside bare http-proxy-middleware with a keep-alive agent, both in front of the same
 * upstream, each in a process of its own: nine reads and one write in ten requests, every client with a token, the
 * context on the move, its reads split by a flag. The rounds alternate.
 */
export async function benchProxy(): Promise<Row[]> {
  const key = newKey('bench')
  const upstream = startPart('upstream.ts')
  const url = `http://127.0.0.1:${await upstream.line()}`
  const bare = startPart('bare.ts', [url])
  const barePort = Number(await bare.line())
  const load = startPart('load.ts')
  const banyan = await startBanyan(url, key)
  try {
    const proxies = { bare: { port: barePort, cpuMs: bare.cpuMs }, banyan }
    return await measure(load, proxies, requestsOf(key))
  } finally {
    await Promise.all([load.end(), bare.end(), upstream.end(), banyan.end()])
  }
}

interface Measured {
  readonly port: number
  cpuMs(): number | null
}

async function measure(load: Part, proxies: { bare: Measured; banyan: Measured }, requests: string[]): Promise<Row[]> {
  const run = async (proxy: Measured, seconds: number, rate: number | null): Promise<Result> => {
    const before = proxy.cpuMs() ?? 0
    load.say(JSON.stringify({ port: proxy.port, seconds, connections: CONNECTIONS, rate, requests }))
    const result = JSON.parse(await load.line()) as Omit<Result, 'cpuUs'>
    if (result.failed > 0) throw new Error(`${result.failed} requests failed; a throughput with failures says nothing`)
    return { ...result, cpuUs: (((proxy.cpuMs() ?? 0) - before) * 1_000) / result.answered }
  }
  for (const one of ['bare', 'banyan', 'bare', 'banyan'] as const) await run(proxies[one], 2, null)
  const alternate = async (rounds: number, rate: number | null) => {
    const results = { bare: [] as Result[], banyan: [] as Result[] }
    for (let round = 0; round < rounds; round += 1) {
      const order = round % 2 ? (['bare', 'banyan'] as const) : (['banyan', 'bare'] as const)
      for (const one of order) results[one].push(await run(proxies[one], SECONDS, rate))
    }
    return results
  }
  const full = await alternate(ROUNDS, null)
  const rates = { bare: full.bare.map((one) => one.perSecond), banyan: full.banyan.map((one) => one.perSecond) }
  const ratio = median(rates.banyan.map((rate, round) => rate / rates.bare[round]!))
  const cpu = { bare: median(full.bare.map((one) => one.cpuUs)), banyan: median(full.banyan.map((one) => one.cpuUs)) }
  const half = Math.floor(Math.min(median(rates.bare), median(rates.banyan)) / 2)
  // What is warm at full load has not yet the heap and the pools of this one.
  await alternate(1, half)
  const calm = await alternate(CALM_ROUNDS, half)
  const p99 = { bare: median(calm.bare.map((one) => one.p99Ms)), banyan: median(calm.banyan.map((one) => one.p99Ms)) }
  const late = median([...calm.bare, ...calm.banyan].map((one) => one.late99Ms))
  // Of the same round: what else the machine does for a while meets both.
  const added = calm.banyan.map((one, round) => one.p99Ms - calm.bare[round]!.p99Ms).sort((a, b) => a - b)
  const quarter = Math.floor(added.length / 4)
  return [
    {
      figure: 'proxy with everything on: requests',
      value: median(rates.banyan),
      unit: '/s',
      yardstick: `bare http-proxy-middleware, keep-alive: ${Math.round(median(rates.bare))}/s`,
      ratio,
      target: `≥ ${TARGET}`,
      ok: ratio >= TARGET,
    },
    {
      figure: 'proxy: processor time of a request',
      value: cpu.banyan,
      unit: 'µs',
      yardstick: `bare http-proxy-middleware: ${Math.round(cpu.bare)} µs`,
      ratio: cpu.banyan / cpu.bare,
      target: `≤ ${CPU_TARGET}`,
      ok: cpu.banyan / cpu.bare <= CPU_TARGET,
    },
    {
      figure: `proxy: p99 added at half of capacity (${half}/s), median of ${CALM_ROUNDS} rounds; half of them ${added[quarter]!.toFixed(1)} to ${added.at(-1 - quarter)!.toFixed(1)} ms`,
      value: median(added),
      unit: 'ms',
      yardstick: `${p99.banyan.toFixed(1)} ms beside bare http-proxy-middleware: ${p99.bare.toFixed(1)} ms, of which the load generator ${late.toFixed(1)} ms`,
      ratio: p99.banyan / p99.bare,
      target: `≤ ${P99_TARGET_MS} ms`,
      ok: median(added) <= P99_TARGET_MS,
    },
  ]
}
