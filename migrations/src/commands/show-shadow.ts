import { wilson } from '@banyan/kit/parity/answers'
import { z } from 'zod'
import type { Said } from '../proxies/ask-proxies.ts'

const counts = z.object({ verdicts: z.record(z.string(), z.number()), compared: z.number(), mismatched: z.number() })
const pageShape = z.object({
  contexts: z.array(
    counts.extend({
      context: z.string(),
      flag: z.object({ share: z.number().nullable() }),
      waitsFor: z.string().nullable(),
      lagMs: z.number().nullable(),
      mirrored: z.number(),
      dropped: z.record(z.string(), z.number()),
      routes: z.array(counts.extend({ route: z.string() })),
    }),
  ),
})
type OfProxy = z.infer<typeof pageShape>['contexts'][number]

/** What all proxies together say of a context's mirrored reads, since each was started. */
export type ShadowState = {
  proxies: number
  /** Per proxy. */
  shares: (number | null)[]
  /** Of each proxy that compares nothing now, why. */
  waitsFor: string[]
  mirrored: number
  dropped: Record<string, number>
  verdicts: Record<string, number>
  compared: number
  mismatched: number
  /** Of all such reads, at least this share is alike, at a confidence of 95 %. */
  alikeAtLeast: number
  routes: { route: string; compared: number; mismatched: number }[]
}

export function stateIn(said: Said<unknown>, context: string): ShadowState {
  const all = [...said.values()].flatMap((page) =>
    pageShape.parse(page).contexts.filter((one) => one.context === context),
  )
  const sum = (of: (one: OfProxy) => number) => all.reduce((total, one) => total + of(one), 0)
  const routes = Map.groupBy(
    all.flatMap((one) => one.routes),
    ({ route }) => route,
  )
  const [compared, mismatched] = [sum((one) => one.compared), sum((one) => one.mismatched)]
  return {
    proxies: all.length,
    shares: all.map(({ flag }) => flag.share),
    waitsFor: all.flatMap((one) => (one.waitsFor === null ? [] : [one.waitsFor])),
    mirrored: sum((one) => one.mirrored),
    dropped: added(all.map((one) => one.dropped)),
    verdicts: added(all.map((one) => one.verdicts)),
    ...{ compared, mismatched, alikeAtLeast: 1 - wilson(mismatched, compared)[1] },
    routes: [...routes].map(([route, those]) => ({
      route,
      compared: those.reduce((total, one) => total + one.compared, 0),
      mismatched: those.reduce((total, one) => total + one.mismatched, 0),
    })),
  }
}

export function textOf(context: string, state: ShadowState): string {
  const { proxies, shares, waitsFor, mirrored, dropped, compared, mismatched, alikeAtLeast, routes } = state
  if (proxies === 0) return `shadow ${context}: no proxy routes it`
  const share = [...new Set(shares)].map((one) => (one === null ? 'more than a share' : `${one} %`)).join(' and ')
  const why = waitsFor.length > 0 ? `; nothing is compared now: ${[...new Set(waitsFor)].join(', ')}` : ''
  const lost = Object.entries(dropped).map(([reason, times]) => `${times} ${reason}`)
  return [
    `shadow ${context}: ${share} of the reads at ${proxies} ${proxies === 1 ? 'proxy' : 'proxies'}${why}`,
    `  mirrored ${mirrored}, dropped ${lost.join(', ') || 'none'}`,
    `  compared ${compared}, mismatched ${mismatched}; alike at least ${(100 * alikeAtLeast).toFixed(2)} %, at a confidence of 95 %`,
    ...routes.map((one) => `  ${one.route}: ${one.mismatched} of ${one.compared} mismatched`),
    ...(mismatched > 0 ? ['  samples with both answers: GET /mirror/samples of the operators’ listener'] : []),
  ].join('\n')
}

function added(all: readonly Record<string, number>[]): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const one of all) for (const [name, times] of Object.entries(one)) sum[name] = (sum[name] ?? 0) + times
  return sum
}
