/** Measures a switch from the shoppers' side: opened before its command, closed after the held requests came back. */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Measure } from '../shoppers/measure.ts'
import type { SwitchReport } from './report.ts'

const routing = z.object({ hold: z.object({ released: z.number() }) })
/** Between the release in the proxy and the answer at the shopper. */
const COMING_BACK_MS = 500

/** @returns The direction in which a block moves a context, or nothing if it moves none, as where it must be refused. */
export function directionOf(command: string): SwitchReport['direction'] | undefined {
  if (/--dry-run|tour\/refused\.ts/.test(command)) return undefined
  const verb = /banyan -- (switch|rollback)\b/.exec(command)?.[1]
  return verb === 'switch' ? 'to-service' : verb === 'rollback' ? 'to-monolith' : undefined
}

/** @param ops the proxy's operators' listener and its token */
export async function watchSwitch(
  direction: SwitchReport['direction'],
  measure: Measure,
  ops: { url: string; token: string },
): Promise<() => Promise<SwitchReport>> {
  const before = await released(ops)
  const close = measure.open()
  return async () => {
    await sleep(COMING_BACK_MS)
    const { slowestHeldMs, failed } = close()
    const now = await released(ops)
    // A proxy that was started anew meanwhile counts from nothing.
    const held = now < before ? now : now - before
    // Where no request was held none has waited for the switch, however slow one was.
    return { direction, pauseMs: held === 0 ? 0 : slowestHeldMs, held, failed }
  }
}

async function released({ url, token }: { url: string; token: string }): Promise<number> {
  const response = await fetch(`${url}/routing`, { headers: { authorization: `Bearer ${token}` } })
  return routing.parse(await response.json()).hold.released
}
