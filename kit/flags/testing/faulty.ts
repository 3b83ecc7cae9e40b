/** A proxy in front of a real Unleash for what a real one cannot be made to do: refuse, hang, forget everything. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

type Fault = 'connection' | 'hang' | '401' | 'empty' | 'nonsense'

const ANSWERS = {
  '401': [401, { name: 'AuthenticationRequired' }],
  empty: [200, { version: 2, features: [] }],
  nonsense: [200, { version: 2, features: [{ name: 'half' }] }],
} as const

/** @param target Unleash's API, ending in `/api`. */
export async function faulty(
  target: string,
): Promise<{ url: string; refuse(fault: Fault): void; pass(): void; close(): Promise<void> }> {
  const { origin, pathname } = new URL(target)
  let fault: Fault | undefined
  const server = createServer(async (req, res) => {
    if (fault === 'hang') return
    if (fault === 'connection') return req.socket.destroy()
    if (fault) {
      const [status, body] = ANSWERS[fault]
      res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      return
    }
    const headers = Object.fromEntries(
      Object.entries(req.headers).filter(([name]) => name !== 'host' && name !== 'connection'),
    )
    const answer = await fetch(`${origin}${req.url}`, { headers: headers as Record<string, string> })
    const etag = answer.headers.get('etag')
    res.writeHead(answer.status, { 'content-type': 'application/json', ...(etag ? { etag } : {}) })
    res.end(Buffer.from(await answer.arrayBuffer()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
    refuse(one) {
      fault = one
    },
    pass() {
      fault = undefined
    },
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
