import type { Reads, Window } from './decide.ts'

/** What the proxies have counted up to a moment, by proxy. */
export type Reading = ReadonlyMap<string, Window>

const LINE = /^proxy_read_duration_seconds_(bucket|count)\{([^}]*)\} (\d+)$/gm

/** The reads of a context in a proxy's metrics, as Prometheus reads them. */
export function readsIn(metrics: string, context: string): Window {
  const sides = { monolith: begin(), service: begin() }
  for (const [, kind, written = '', value] of metrics.matchAll(LINE)) {
    const label: Record<string, string | undefined> = Object.fromEntries(
      [...written.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, text]) => [name, text]),
    )
    const side = label.side === 'monolith' || label.side === 'service' ? sides[label.side] : null
    if (side === null || label.context !== context) continue
    if (kind === 'count') side[label.result === 'failed' ? 'failed' : 'answered'] = Number(value)
    else if (label.result === 'ok' && label.le !== '+Inf') side.within.set(Number(label.le), Number(value))
  }
  return sides
}

/** What was counted between two moments, by all proxies together. One that is new, or was started anew, began at nothing. */
export function between(before: Reading, after: Reading): Window {
  const window = { monolith: begin(), service: begin() }
  for (const [proxy, now] of after)
    for (const side of ['monolith', 'service'] as const) add(window[side], now[side], before.get(proxy)?.[side])
  return window
}

function add(sum: ReturnType<typeof begin>, now: Reads, known: Reads | undefined): void {
  const before = known && known.answered <= now.answered && known.failed <= now.failed ? known : begin()
  sum.answered += now.answered - before.answered
  sum.failed += now.failed - before.failed
  for (const [bound, count] of now.within)
    sum.within.set(bound, (sum.within.get(bound) ?? 0) + count - (before.within.get(bound) ?? 0))
}

function begin() {
  return { answered: 0, failed: 0, within: new Map<number, number>() }
}
