import { newKey } from '../support/keys.ts'
import { startReaders, within } from '../support/misrouted.ts'
import { startBanyan } from './proxy/banyan.ts'
import { startPart } from './proxy/processes.ts'
import type { Row } from './row.ts'

const FLIPS = Number(process.env.BENCH_KILL_SWITCH_FLIPS ?? 200)
const UNLEASH_FLIPS = Math.ceil(FLIPS / 10)
const TARGET_MS = 100
/** Unleash looks once a second for what has changed, and the proxy asks it in between. */
const UNLEASH_TARGET_MS = 1_000 + 500

/**
 * How long after a context's reads were turned back to their owner the last read still set out that the service answered:
 * by the kill switch of the operators' listener, and by the flag in Unleash. Readers ask without a pause.
 */
export async function benchKillSwitch(): Promise<Row[]> {
  const monolith = startPart('upstream.ts', ['monolith'])
  const service = startPart('upstream.ts', ['service'])
  const [monolithUrl, serviceUrl] = [await urlOf(monolith), await urlOf(service)]
  const banyan = await startBanyan(monolithUrl, newKey('bench'), { service: serviceUrl, share: 100 })
  const readers = startReaders(`http://127.0.0.1:${banyan.port}/api/products`)
  const bySwitch: number[] = []
  const byUnleash: number[] = []
  try {
    await readers.seen('service')
    while (bySwitch.length < FLIPS)
      bySwitch.push(
        await readers.flip({
          away: () => banyan.setReads('owner'),
          back: () => banyan.setReads('flag'),
        }),
      )
    while (byUnleash.length < UNLEASH_FLIPS)
      byUnleash.push(
        await readers.flip({
          away: () => banyan.setFlag('off'),
          back: () => banyan.setFlag('on'),
        }),
      )
  } finally {
    await readers.end()
    await Promise.all([banyan.end(), monolith.end(), service.end()])
  }
  return [
    rowOf('kill switch: click to the last misrouted request', bySwitch, TARGET_MS),
    rowOf('flip in Unleash: to the last misrouted request', byUnleash, UNLEASH_TARGET_MS),
  ]
}

function rowOf(what: string, times: readonly number[], targetMs: number): Row {
  const [median, p95, p99, longest] = [0.5, 0.95, 0.99, 1].map((part) => within(times, part))
  return {
    figure: `${what}, p95 of ${times.length} flips`,
    value: p95!,
    unit: 'ms',
    yardstick: `median ${median!.toFixed(1)} ms, p99 ${p99!.toFixed(1)} ms, longest ${longest!.toFixed(1)} ms`,
    ratio: null,
    target: `≤ ${targetMs.toLocaleString('en')} ms`,
    ok: p95! <= targetMs,
  }
}

async function urlOf(part: { line(): Promise<string> }): Promise<string> {
  return `http://127.0.0.1:${await part.line()}`
}
