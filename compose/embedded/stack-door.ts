/** A small door of a running stack, on loopback and with a token: through it a block of the playbook stops a process. */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export type StackDoor = {
  /** How whoever has the stack's environment comes in: `STACK_URL` and `STACK_TOKEN`. */
  env: Record<string, string>
  close(): void
}

const STOP = /^\/processes\/([a-z-]+)\/stop$/

/**
 * Answers `POST /processes/<name>/stop` once the process has ended: 200, 404 for a name that is not running, 401
 * without the token.
 * @param stop ends a process in good order; resolves to false where none of that name is running
 */
export async function openStackDoor(stop: (name: string) => Promise<boolean>): Promise<StackDoor> {
  const token = randomBytes(24).toString('base64url')
  const expected = Buffer.from(`Bearer ${token}`)
  const server = createServer(async (req, res) => {
    const answer = (status: number, body: object) =>
      res.writeHead(status, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(body))
    const given = Buffer.from(req.headers.authorization ?? '')
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return answer(401, { code: 'no-token' })
    const name = req.method === 'POST' ? STOP.exec(req.url ?? '')?.[1] : undefined
    if (name === undefined || !(await stop(name))) return answer(404, { code: 'not-running' })
    answer(200, { name, stopped: true })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // The stack ends with whoever started it, not with this.
  server.unref()
  return {
    env: { STACK_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, STACK_TOKEN: token },
    close: () => void server.close(),
  }
}
