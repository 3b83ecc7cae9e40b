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
/**
 * What stood still for the others' rounds has given memory back and let compiled code go, and gets both anew with the
 * first requests of its own, on other threads: no proxy under load does, and it would be a fifth of a short round.
 */
const LEAD_SECONDS = 1
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

/** Of how many in a hundred clients the reads are mirrored, in what is reported beside: each costs two requests more. */
const MIRRORED = 10

/**
 * The proxy with everything on beside bare http-proxy-middleware with a keep-alive agent, both in front of the same
 * upstream, each in a process of its own: nine reads and one write in ten requests, every client with a token and of
 * another origin, the context on the move, its reads split by a flag, a rate on everything. The rounds alternate.
 */
export async function benchProxy(): Promise<Row[]> {
  const key = newKey('bench')
  const upstream = startPart('upstream.ts')
  const url = `http://127.0.0.1:${await upstream.line()}`
  const bare = startPart('bare.ts', [url])
  const barePort = Number(await bare.line())
  const load = startPart('load.ts')
  const banyan = await startBanyan(url, key)
  const mirroring = await startBanyan(url, key, { shadow: MIRRORED })
  try {
    const proxies = { bare: { port: barePort, cpuMs: bare.cpuMs }, banyan, mirroring }
    return await measure(load, proxies, requestsOf(key))
  } finally {
    await Promise.all([load, bare, upstream, banyan, mirroring].map((part) => part.end()))
  }
}

interface Measured {
  readonly port: number
  cpuMs(): number | null
}

type Name = 'bare' | 'banyan' | 'mirroring'

async function measure(load: Part, proxies: Record<Name, Measured>, requests: string[]): Promise<Row[]> {
  const run = async (proxy: Measured, seconds: number, rate: number | null): Promise<Result> => {
    const before = proxy.cpuMs() ?? 0
    load.say(JSON.stringify({ port: proxy.port, seconds, connections: CONNECTIONS, rate, requests }))
    const result = JSON.parse(await load.line()) as Omit<Result, 'cpuUs'>
    if (result.failed > 0) throw new Error(`${result.failed} requests failed; a throughput with failures says nothing`)
    return { ...result, cpuUs: (((proxy.cpuMs() ?? 0) - before) * 1_000) / result.answered }
  }
  const all = Object.keys(proxies) as Name[]
  for (const one of [...all, ...all]) await run(proxies[one], 2, null)
  const alternate = async (names: readonly Name[], rounds: number, rate: number | null) => {
    const results: Record<Name, Result[]> = { bare: [], banyan: [], mirroring: [] }
    for (let round = 0; round < rounds; round += 1) {
      for (const one of round % 2 ? names : names.toReversed()) {
        await run(proxies[one], LEAD_SECONDS, rate)
        results[one].push(await run(proxies[one], SECONDS, rate))
      }
    }
    return results
  }
  const two = ['bare', 'banyan'] as const
  const full = await alternate(two, ROUNDS, null)
  const rates = { bare: full.bare.map((one) => one.perSecond), banyan: full.banyan.map((one) => one.perSecond) }
  const ratio = median(rates.banyan.map((rate, round) => rate / rates.bare[round]!))
  const half = Math.floor(Math.min(median(rates.bare), median(rates.banyan)) / 2)
  const calm = await alternate(two, CALM_ROUNDS, half)
  const mirrored = await alternate(['bare', 'mirroring'], ROUNDS, null)
  const p99 = { bare: median(calm.bare.map((one) => one.p99Ms)), banyan: median(calm.banyan.map((one) => one.p99Ms)) }
  const late = median([...calm.bare, ...calm.banyan].map((one) => one.late99Ms))
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
    cpuRow('proxy: processor time of a request', full.banyan, full.bare, CPU_TARGET),
    cpuRow(
      `proxy: the same, with the reads of ${MIRRORED} in 100 clients mirrored and compared`,
      mirrored.mirroring,
      mirrored.bare,
    ),
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

/** The ratio is that of the same round: what else the machine does for a while meets both. */
function cpuRow(figure: string, of: readonly Result[], bare: readonly Result[], target?: number): Row {
  const ratio = median(of.map((one, round) => one.cpuUs / bare[round]!.cpuUs))
  return {
    figure,
    value: median(of.map((one) => one.cpuUs)),
    unit: 'µs',
    yardstick: `bare http-proxy-middleware: ${Math.round(median(bare.map((one) => one.cpuUs)))} µs`,
    ratio,
    target: target === undefined ? null : `≤ ${target}`,
    ok: target === undefined ? null : ratio <= target,
  }
}
