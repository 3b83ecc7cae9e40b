import { get } from 'node:http'
import type { Group } from './group.ts'
import type { BalanceSettings } from './settings.ts'
import type { Upstream } from './upstream.ts'

/**
 * Asks each instance again and again whether it can work; so many bad answers in a row take it out, so many good ones
 * back in. Each check has a connection of its own: what is asked is whether the instance takes another one.
 */
export function startHealthChecks(
  groups: () => readonly Group[],
  settings: BalanceSettings['health'],
): { close(): void } {
  const { intervalMs, timeoutMs, failures, passes } = settings
  const inARow = new WeakMap<Upstream, number>()
  const underWay = new WeakSet<Upstream>()

  const check = async (upstream: Upstream, path: string) => {
    underWay.add(upstream)
    const well = await answersWell(upstream, path, timeoutMs)
    underWay.delete(upstream)
    if (well === upstream.healthy) {
      inARow.set(upstream, 0)
      return
    }
    const seen = (inARow.get(upstream) ?? 0) + 1
    inARow.set(upstream, seen)
    if (seen < (well ? passes : failures)) return
    inARow.set(upstream, 0)
    upstream.group.checked(upstream, well)
  }
  const round = () => {
    for (const group of groups()) {
      const path = group.side === 'monolith' ? settings.monolith : settings.services
      if (path === null) continue
      for (const upstream of group.instances()) if (!underWay.has(upstream)) void check(upstream, path)
    }
  }
  if (settings.monolith === null && settings.services === null) return { close: () => undefined }
  const timer = setInterval(round, intervalMs).unref()
  return { close: () => clearInterval(timer) }
}

function answersWell({ target }: Upstream, path: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const { hostname, port } = target
    const asked = get({ hostname, port, path, agent: false, signal }, (answer) => {
      answer.resume()
      resolve((answer.statusCode ?? 500) < 400)
    })
    asked.on('error', () => resolve(false))
  })
}
