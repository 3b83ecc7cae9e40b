import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Logger } from '@banyan/kit/service'

/** Who is asked for the addresses behind a name; the system's resolver unless told. */
export type Resolve = (name: string) => Promise<readonly LookupAddress[]>

const EVERY_MS = 5_000
const ask: Resolve = (name) => lookup(name, { all: true })

/**
 * Looks the names in configured addresses up again and again, as Compose and Kubernetes want it: kept-alive connections
 * would stay with the instances of the start for ever. Each address behind a name is an instance of its own. While a
 * name cannot be resolved the addresses known last stay, and before the first time the name itself.
 */
export function watchNames(options: {
  readonly named: readonly { readonly urls: readonly string[]; set(urls: readonly string[]): void }[]
  readonly logger: Logger
  readonly resolve?: Resolve
  readonly everyMs?: number
}): { readonly ready: Promise<void>; close(): void } {
  const { logger, resolve = ask, everyMs = EVERY_MS } = options
  const watched = options.named.filter(({ urls }) => urls.some(hasName))
  if (watched.length === 0) return { ready: Promise.resolve(), close: () => undefined }
  const known = new Map<string, readonly string[]>()
  let closed = false
  let timer: NodeJS.Timeout | undefined

  const addressesOf = async (url: string): Promise<readonly string[]> => {
    if (!hasName(url)) return [url]
    try {
      const urls = behind(url, await resolve(new URL(url).hostname))
      if (urls.length > 0) known.set(url, urls)
    } catch (err) {
      logger.warn({ err, url }, 'a name could not be resolved; going on with the addresses known')
    }
    return known.get(url) ?? [url]
  }
  const round = async () => {
    for (const { urls, set } of watched) {
      const all = await Promise.all(urls.map(addressesOf))
      if (closed) return
      set([...new Set(all.flat())])
    }
    timer = setTimeout(round, everyMs).unref()
  }
  return {
    ready: round(),
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}

/** `localhost` is a name for this machine in two families, of which a process often listens in one. */
function hasName(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname !== 'localhost' && isIP(hostname.replace(/^\[|\]$/g, '')) === 0
}

/** In one family, since a name in both stands for the same instances twice. */
function behind(url: string, found: readonly LookupAddress[]): readonly string[] {
  const family = found.some((one) => one.family === 4) ? 4 : 6
  return found
    .filter((one) => one.family === family)
    .map(({ address }) => {
      const made = new URL(url)
      made.hostname = family === 6 ? `[${address}]` : address
      return made.href.replace(/\/$/, '')
    })
    .sort()
}
