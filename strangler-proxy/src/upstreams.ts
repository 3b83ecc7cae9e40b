import { Agent } from 'node:http'
import type { Side } from '@banyan/kit/service'

/** One address that answers for a side, with a keep-alive pool of its own. */
export interface Upstream {
  readonly url: string
  readonly target: {
    readonly protocol: 'http:'
    readonly host: string
    readonly hostname: string
    readonly port: number
  }
  readonly agent: Agent
}

export interface Upstreams {
  /** The next address of a side, round robin; null where none is known. */
  pick(side: Side, context: string | null): Upstream | null
  /** Replaces the addresses of a context's service, as the instances table shows them. */
  setService(context: string, urls: readonly string[]): void
  /** What is known, for the routing page. */
  all(): Record<string, readonly string[]>
  close(): void
}

/**
 * Addresses come from configuration and the control database only, never from a request; the monolith's may be none.
 * Sockets are unbounded per
 * address: with a bound, a few hundred open streams would keep every other request waiting.
 */
export function createUpstreams(monolith: readonly string[], services: Readonly<Record<string, string>>): Upstreams {
  const pools = new Map<string, Upstream>()
  const of = (urls: readonly string[]) => urls.map((url) => pools.get(url) ?? remember(url))
  const remember = (url: string) => {
    const made = createUpstream(url)
    pools.set(url, made)
    return made
  }
  const monoliths = of(monolith)
  const byContext = new Map(Object.entries(services).map(([context, url]) => [context, of([url])]))
  let turn = 0
  return {
    pick(side, context) {
      const known = side === 'monolith' ? monoliths : context === null ? undefined : byContext.get(context)
      if (known === undefined || known.length === 0) return null
      if (known.length === 1) return known[0]!
      turn = (turn + 1) % 1_000_000
      return known[turn % known.length]!
    },
    setService(context, urls) {
      const before = byContext.get(context) ?? []
      byContext.set(context, of(urls))
      for (const gone of before) if (!urls.includes(gone.url)) retire(gone)
    },
    all: () => ({
      monolith: monoliths.map((one) => one.url),
      ...Object.fromEntries([...byContext].map(([context, list]) => [context, list.map((one) => one.url)])),
    }),
    close: () => {
      for (const pool of pools.values()) pool.agent.destroy()
    },
  }

  // Its idle connections close by themselves; those in use finish.
  function retire(gone: Upstream): void {
    pools.delete(gone.url)
    for (const sockets of Object.values(gone.agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy()
  }
}

function createUpstream(url: string): Upstream {
  const parsed = new URL(url)
  if (parsed.protocol !== 'http:') throw new Error(`upstream ${url}: only http:// is spoken to upstreams`)
  return {
    url,
    target: {
      protocol: 'http:',
      host: parsed.host,
      hostname: parsed.hostname,
      port: Number(parsed.port) || 80,
    },
    agent: new Agent({ keepAlive: true, maxFreeSockets: 256 }),
  }
}
