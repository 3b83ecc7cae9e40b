import { once } from 'node:events'
import { type ClientRequest, createServer, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { OneUpstream } from './upstream.ts'

let server: Server
let connections = 0
let pool: OneUpstream

beforeEach(async () => {
  connections = 0
  server = createServer((req, res) => {
    if (req.url !== '/silent') res.end('ok')
  })
  server.on('connection', () => {
    connections += 1
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  pool = new OneUpstream({ keepAlive: true })
})
afterEach(() => {
  pool.destroy()
  server.closeAllConnections()
  server.close()
})

const send = (path: string): ClientRequest => {
  const { port } = server.address() as AddressInfo
  return request({ host: '127.0.0.1', port, path, agent: pool }).end()
}

/** Resolves when the answer is here and its connection is free again. */
async function ask(): Promise<ClientRequest> {
  const asked = send('/')
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  answer.resume()
  await once(answer, 'end')
  while (pool.freeSockets.upstream === undefined) await turn()
  return asked
}

it('sends one request after another over the connection that is free, and says so', async () => {
  expect((await ask()).reusedSocket).toBe(false)
  for (let more = 0; more < 3; more += 1) expect((await ask()).reusedSocket).toBe(true)
  expect(connections).toBe(1)
})

it('ends a connection that is used again when it is closed itself', async () => {
  await ask()
  const asked = send('/silent')
  await once(asked, 'finish')
  pool.destroy()
  await expect(once(asked, 'response')).rejects.toThrow('socket hang up')
})

it('sends nothing over a connection that was closed a moment ago', async () => {
  await ask()
  pool.freeSockets.upstream![0]!.destroy()
  expect((await ask()).reusedSocket).toBe(false)
  expect(connections).toBe(2)
})
