import { lookup } from 'node:dns/promises'
import { Refused } from '../commands/refused.ts'
import type { Config } from '../setup.ts'

/** What every proxy said, by the address of its operators' listener. */
export type Said<T> = ReadonlyMap<string, T>

export type Proxies = {
  /** The page of metrics of each. */
  metrics(): Promise<Said<string>>
  /** What a path of the operators' listener answers at each, as JSON. */
  json(path: string): Promise<Said<unknown>>
}

const WITHIN_MS = 5_000

/**
 * The proxies' operators' listeners. A name that stands for several addresses is several proxies, each asked at each
 * call: one that cannot be asked fails the call, for what it has seen would be missing.
 * @throws Refused where OPS_URL is not set
 */
export function createProxies({ OPS_URL: urls, OPS_TOKEN: token }: Config): Proxies {
  if (urls === undefined) throw new Refused('OPS_URL to be set: the operators’ listeners of the proxies')
  const ask = async (path: string, headers: Record<string, string>) => {
    const addresses = (await Promise.all(urls.map(addressesOf))).flat()
    const said = addresses.map(async (base) => {
      const answer = await fetch(base + path, { headers, signal: AbortSignal.timeout(WITHIN_MS) })
      const text = await answer.text()
      if (!answer.ok) throw new Error(`${base}${path} answered ${answer.status}: ${text.slice(0, 200)}`)
      return [base, text] as const
    })
    return await Promise.all(said)
  }
  return {
    metrics: async () => new Map(await ask('/metrics', {})),
    async json(path) {
      if (token === undefined) throw new Refused('OPS_TOKEN to be set: the token of the proxies’ operators')
      const said = await ask(path, { authorization: `Bearer ${token}` })
      return new Map(said.map(([base, text]) => [base, JSON.parse(text)]))
    },
  }
}

/** A proxy with an address of either kind is one proxy. */
async function addressesOf(written: string): Promise<string[]> {
  const { hostname, port } = new URL(written)
  const all = await lookup(hostname.replace(/^\[|\]$/g, ''), { all: true })
  const ofFour = all.filter(({ family }) => family === 4)
  const found = ofFour.length > 0 ? ofFour : all
  return found.map(({ address, family }) => `http://${family === 6 ? `[${address}]` : address}:${port || 80}`)
}
