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
  const before = await waited(ops)
  const close = measure.open()
  return async () => {
    await sleep(COMING_BACK_MS)
    const { slowestHeldMs, failed } = close()
    const now = await waited(ops)
    // A proxy that was started anew meanwhile counts from nothing.
    const held = now < before ? now : now - before
    // Where no request was held none has waited for the switch, however slow one was.
    return { direction, pauseMs: held === 0 ? 0 : slowestHeldMs, held, failed }
  }
}

/** Requests that the proxy has held so far, and those that a fenced side refused and the proxy sent again. */
async function waited(ops: { url: string; token: string }): Promise<number> {
  const { hold } = routing.parse(JSON.parse(await read(ops, '/routing')))
  const refused = /^proxy_resends_total\{why="refused"\} (\d+)/m.exec(await read(ops, '/metrics'))?.[1]
  return hold.released + Number(refused ?? 0)
}

async function read({ url, token }: { url: string; token: string }, path: string): Promise<string> {
  const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } })
  if (!response.ok) throw new Error(`${url}${path} answered ${response.status}`)
  return await response.text()
}
