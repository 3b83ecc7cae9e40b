/** Measures a switch from the shoppers' side: opened before its command, closed after the held requests came back. */
import { z } from 'zod'
import { becomesTrue } from '../embedded/wait.ts'
import { connected } from '../provision/database.ts'
import type { Measure } from '../shoppers/measure.ts'
import type { SwitchReport } from './report.ts'

const routing = z.object({
  hold: z.object({ released: z.number(), expired: z.number() }),
  contexts: z.array(z.object({ hold: z.boolean().optional() })),
})
/** A proxy sees a release within its poll; one that is away for longer lets nobody go. */
const RELEASED_WITHIN_MS = 30_000

/** @returns The direction in which a block moves a context, or nothing if it moves none, as where it must be refused. */
export function directionOf(command: string): SwitchReport['direction'] | undefined {
  if (/--dry-run|tour\/refused\.ts/.test(command)) return undefined
  const verb = /banyan -- (switch|rollback)\b/.exec(command)?.[1]
  return verb === 'switch' ? 'to-service' : verb === 'rollback' ? 'to-monolith' : undefined
}

/** Where a switch is seen: the proxy's operators' listener with its token, and the control database. */
export type Sights = { url: string; token: string; control: string }

export async function watchSwitch(
  direction: SwitchReport['direction'],
  measure: Measure,
  sights: Sights,
): Promise<() => Promise<SwitchReport>> {
  const before = await waited(sights)
  const opened = Date.now()
  const close = measure.open()
  return async () => {
    await becomesTrue('the proxy to let all go', async () => !(await isHolding(sights)), RELEASED_WITHIN_MS)
    const { slowestHeldMs, failed } = await close(await beganAfter(sights.control, opened))
    const now = await waited(sights)
    // A proxy that was started anew meanwhile counts from nothing.
    const held = now < before ? now : now - before
    return { direction, pauseMs: pauseOf({ held, failed, slowestHeldMs }), held, failed }
  }
}

/** Where no request was held none has waited for the switch, however slow one was; one that failed may have. */
export function pauseOf(seen: { held: number; failed: number; slowestHeldMs: number }): number {
  return seen.held + seen.failed === 0 ? 0 : seen.slowestHeldMs
}

/**
 * When the first attempt of a switch or rollback began that was under way at some time since `opened`.
 * @returns milliseconds by this machine's clock, rather too early than too late; nothing where there was none
 */
export async function beganAfter(controlUrl: string, opened: number): Promise<number | undefined> {
  const asked = Date.now()
  const { rows } = await connected(controlUrl, (db) =>
    db.query<{ ago: string | null }>(
      `select extract(epoch from clock_timestamp() - min(began_at)) * 1000 as ago from banyan.attempts
       where coalesce(ended_at, 'infinity') > clock_timestamp() - make_interval(secs => $1)`,
      [(Date.now() - opened) / 1000],
    ),
  )
  const ago = rows[0]?.ago
  return ago == null ? undefined : asked - Number(ago)
}

async function isHolding(sights: Sights): Promise<boolean> {
  const { contexts } = routing.parse(JSON.parse(await read(sights, '/routing')))
  return contexts.some(({ hold }) => hold)
}

const waited = async (sights: Sights) => heldBy(await read(sights, '/routing'), await read(sights, '/metrics'))

/**
 * @param shown what the proxy answers at `/routing`, and at `/metrics`
 * @returns requests that it has held so far, in vain or not, and those that a fenced side refused and it sent again
 */
export function heldBy(shown: string, metrics: string): number {
  const { hold } = routing.parse(JSON.parse(shown))
  const refused = /^proxy_resends_total\{why="refused"\} (\d+)/m.exec(metrics)?.[1]
  return hold.released + hold.expired + Number(refused ?? 0)
}

async function read({ url, token }: Sights, path: string): Promise<string> {
  const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } })
  if (!response.ok) throw new Error(`${url}${path} answered ${response.status}`)
  return await response.text()
}
