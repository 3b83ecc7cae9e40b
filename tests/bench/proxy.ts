import { createPrivateKey, type JsonWebKeyInput, sign } from 'node:crypto'
import { newKey, type PrivateKey } from '../support/keys.ts'
import { startBanyan } from './proxy/banyan.ts'
import { type Part, startPart } from './proxy/processes.ts'
import { median, type Row } from './row.ts'

const ROUNDS = Number(process.env.BENCH_PROXY_ROUNDS ?? 7)
const SECONDS = Number(process.env.BENCH_PROXY_SECONDS ?? 3)
const CONNECTIONS = 32
const TARGET = 0.8

interface Result {
  readonly answered: number
  readonly failed: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
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
  const full = { bare: [] as Result[], banyan: [] as Result[] }
  for (let round = 0; round < ROUNDS; round += 1) {
    const order = round % 2 ? (['bare', 'banyan'] as const) : (['banyan', 'bare'] as const)
    for (const one of order) full[one].push(await run(proxies[one], SECONDS, null))
  }
  const rates = { bare: full.bare.map((one) => one.perSecond), banyan: full.banyan.map((one) => one.perSecond) }
  const ratio = median(rates.banyan.map((rate, round) => rate / rates.bare[round]!))
  const cpu = { bare: median(full.bare.map((one) => one.cpuUs)), banyan: median(full.banyan.map((one) => one.cpuUs)) }
  const half = Math.floor(Math.min(median(rates.bare), median(rates.banyan)) / 2)
  const calm = { bare: [] as number[], banyan: [] as number[] }
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const one of ['bare', 'banyan'] as const) calm[one].push((await run(proxies[one], SECONDS, half)).p99Ms)
  }
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
      target: null,
      ok: null,
    },
    {
      figure: `proxy: p99 at half of capacity (${half}/s)`,
      value: median(calm.banyan),
      unit: 'ms',
      yardstick: `bare http-proxy-middleware: ${median(calm.bare).toFixed(1)} ms`,
      ratio: median(calm.banyan) / median(calm.bare),
      target: null,
      ok: null,
    },
  ]
}

/** A round of requests by 200 users. */
function requestsOf(key: PrivateKey): string[] {
  const body = JSON.stringify({ delta: -1, reason: 'sold', note: 'n'.repeat(150) })
  return Array.from({ length: 1_000 }, (_, index) => {
    const head =
      `Host: shop.example\r\nAuthorization: Bearer ${tokens(key)[index % 200]}\r\nAccept: application/json\r\n` +
      'User-Agent: bench\r\nAccept-Encoding: gzip\r\nCookie: theme=dark\r\n'
    return index % 10 === 0
      ? `POST /api/products/${index}/stock-adjustments HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
      : `GET /api/products/${index} HTTP/1.1\r\n${head}\r\n`
  })
}

let made: string[] | undefined
function tokens(key: PrivateKey): string[] {
  made ??= Array.from({ length: 200 }, (_, user) => accessToken(key, String(user + 1)))
  return made
}

function accessToken(key: PrivateKey, sub: string): string {
  const now = Math.floor(Date.now() / 1000)
  const signed = [
    { alg: 'ES256', typ: 'at+jwt', kid: key.kid },
    { iss: 'banyan-shop', aud: 'banyan-shop', sub, role: 'customer', iat: now, exp: now + 3600 },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const privateKey = createPrivateKey({ key, format: 'jwk' } as JsonWebKeyInput)
  return `${signed}.${sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}
