import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { newKey, publicKey, serviceToken } from '../../../../tests/support/keys.ts'

export type Answer = { status: number; type: string; body: string; headers?: Record<string, string> }

/** A call on its way to another context; `pass` hands it on, as often as it is called. */
export type Passing = { method: string; path: string; body: string; pass(): Promise<Answer> }

export type Door = {
  url: string
  /** What the process behind must know: the key that calls arrive with. */
  env: Record<string, string>
  /** The process behind, which may be another one later. */
  to: string
  /** Stands in every call's way, until it is set back. */
  keeper: (call: Passing) => Promise<Answer>
  /** A call of the service's that it never made; past the keeper. */
  send(method: string, path: string, body?: string, key?: string): Promise<Answer>
  close(): Promise<void>
}

const AUDIENCE = 'monolith'
const straight = ({ pass }: Passing) => pass()

/**
 * The way from the order service to whoever plays inventory, payments and users: one process that keeps the same
 * internal contract, and wants to be called by a name of its own.
 */
export async function openDoor(): Promise<Door> {
  const caller = newKey('order-service')
  const send: Door['send'] = async (method, path, body = '', key) => {
    const headers: Record<string, string> = { authorization: `Bearer ${serviceToken(caller, AUDIENCE)}` }
    if (key !== undefined) headers['idempotency-key'] = key
    if (body) headers['content-type'] = 'application/json'
    const response = await fetch(door.to + path, { method, headers, ...(body ? { body } : {}) })
    return {
      status: response.status,
      type: response.headers.get('content-type') ?? 'application/json',
      body: await response.text(),
    }
  }
  const server = createServer(async (req, res) => {
    const body = await text(req)
    const { method = 'GET', url: path = '/' } = req
    const pass = () => send(method, path, body, req.headers['idempotency-key'] as string | undefined)
    try {
      const answer = await door.keeper({ method, path, body, pass })
      res.writeHead(answer.status, { 'content-type': answer.type, ...answer.headers }).end(answer.body)
    } catch {
      // Whoever is behind has died of it, and the caller learns as much as it would from a dead process.
      req.socket.destroy()
    }
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const door: Door = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    env: { INTERNAL_JWKS: JSON.stringify({ keys: [publicKey(caller)] }) },
    to: '',
    keeper: straight,
    send,
    async close() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
  return door
}
