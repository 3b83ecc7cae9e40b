import type { System } from './system.ts'

type Routing = {
  ownership: { leaseValid: boolean; staleMs: number }
  flags: { ok: boolean }
  contexts: { context: string; owner: string; flag: { share: number | null } }[]
}

/** What the proxy knows, as its operators see it. */
export async function routing({ stack }: System): Promise<Routing> {
  const response = await fetch(`${stack.env.OPS_URL}/routing`, {
    headers: { authorization: `Bearer ${stack.env.OPS_TOKEN}` },
    signal: AbortSignal.timeout(2_000),
  })
  return (await response.json()) as Routing
}
