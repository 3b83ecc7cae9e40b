import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { becomeLeader } from './leader.ts'

let server: Server
let url: string
beforeEach(async () => {
  // It takes connections and says nothing: a control database behind a line that was cut or has frozen.
  server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `postgres://mover@127.0.0.1:${(server.address() as AddressInfo).port}/control`
})
afterEach(() => server.close())

it('whoever seeks the lead at a server that says nothing stops when it is told to', async () => {
  const stop = new AbortController()
  const seeking = becomeLeader(url, stop.signal)
  const [socket] = (await once(server, 'connection')) as [Socket]
  socket.on('error', () => undefined)
  stop.abort()
  expect(await seeking).toBeNull()
  socket.destroy()
})

it('the lead is sought again at a server that says nothing', async () => {
  const stop = new AbortController()
  const seeking = becomeLeader(url, stop.signal)
  const sockets: Socket[] = []
  for (let times = 0; times < 2; times++) {
    const [socket] = (await once(server, 'connection')) as [Socket]
    sockets.push(socket.on('error', () => undefined))
  }
  stop.abort()
  expect(await seeking).toBeNull()
  for (const socket of sockets) socket.destroy()
}, 15_000)
