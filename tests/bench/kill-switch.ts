import { newKey } from '../support/keys.ts'
import { startBanyan } from './proxy/banyan.ts'
import { startPart } from './proxy/processes.ts'
import type { Row } from './row.ts'

const FLIPS = Number(process.env.BENCH_KILL_SWITCH_FLIPS ?? 200)
const UNLEASH_FLIPS = Math.ceil(FLIPS / 10)
const READERS = 8
const TARGET_MS = 100
/** The proxy asks Unleash once a second. */
const UNLEASH_TARGET_MS = 1_000 + 500
/** Longer than the poll that would bring a flip nobody was told of. */
const WATCHED_MS = 400

interface Read {
  readonly sentAt: number
  readonly side: string
}

/**
 * How long after a context's reads were turned back to their owner the last read still set out that the service answered:
 * by the kill switch of the operators' listener, and by the flag in Unleash. Readers ask without a pause.
 */
export async function benchKillSwitch(): Promise<Row[]> {
  const monolith = startPart('upstream.ts', ['monolith'])
  const service = startPart('upstream.ts', ['service'])
  const [monolithUrl, serviceUrl] = [await urlOf(monolith), await urlOf(service)]
  const banyan = await startBanyan(monolithUrl, newKey('bench'), { service: serviceUrl, share: 100 })
  const reads: Read[] = []
  let ended = false
  const reader = async () => {
    while (!ended) {
      const sentAt = performance.now()
      const answer = await fetch(`http://127.0.0.1:${banyan.port}/api/products/1`)
      await answer.arrayBuffer()
      reads.push({ sentAt, side: answer.headers.get('x-side') ?? '' })
    }
  }
  const seen = async (side: string) => {
    const from = performance.now()
    while (!reads.some((one) => one.sentAt > from && one.side === side)) await pause(1)
  }
  const flip = async (away: () => Promise<void>, back: () => Promise<void>) => {
    reads.length = 0
    const clicked = performance.now()
    await away()
    await seen('monolith')
    await pause(WATCHED_MS)
    const misrouted = reads.filter((one) => one.sentAt >= clicked && one.side === 'service')
    await back()
    await seen('service')
    return Math.max(0, ...misrouted.map((one) => one.sentAt - clicked))
  }
  const readers = Array.from({ length: READERS }, reader)
  const bySwitch: number[] = []
  const byUnleash: number[] = []
  try {
    await seen('service')
    while (bySwitch.length < FLIPS)
      bySwitch.push(
        await flip(
          () => banyan.setReads('owner'),
          () => banyan.setReads('flag'),
        ),
      )
    while (byUnleash.length < UNLEASH_FLIPS)
      byUnleash.push(
        await flip(
          () => banyan.setFlag('off'),
          () => banyan.setFlag('on'),
        ),
      )
  } finally {
    ended = true
    await Promise.allSettled(readers)
    await Promise.all([banyan.end(), monolith.end(), service.end()])
  }
  return [
    rowOf('kill switch: click to the last misrouted request', bySwitch, TARGET_MS),
    rowOf('flip in Unleash: to the last misrouted request', byUnleash, UNLEASH_TARGET_MS),
  ]
}

function rowOf(what: string, times: number[], targetMs: number): Row {
  times.sort((a, b) => a - b)
  const p95 = times[Math.ceil(times.length * 0.95) - 1]!
  return {
    figure: `${what}, p95 of ${times.length} flips`,
    value: p95,
    unit: 'ms',
    yardstick: `median ${times[times.length >> 1]!.toFixed(1)} ms, longest ${times.at(-1)!.toFixed(1)} ms`,
    ratio: null,
    target: `≤ ${targetMs.toLocaleString('en')} ms`,
    ok: p95 <= targetMs,
  }
}

async function urlOf(part: { line(): Promise<string> }): Promise<string> {
  return `http://127.0.0.1:${await part.line()}`
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
