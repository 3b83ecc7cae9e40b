import type { Socket } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type SilentServer, startSilentServer } from '../mover/testing/silent-server.ts'
import { becomeLeader } from './leader.ts'

let server: SilentServer
beforeEach(async () => {
  server = await startSilentServer()
})
afterEach(() => server.close())

it('whoever seeks the lead at a server that says nothing stops when it is told to', async () => {
  const stop = new AbortController()
  const seeking = becomeLeader(server.url, stop.signal)
  const socket = await server.connected()
  stop.abort()
  expect(await seeking).toBeNull()
  socket.destroy()
})

it('the lead is sought again at a server that says nothing', async () => {
  const stop = new AbortController()
  const seeking = becomeLeader(server.url, stop.signal)
  const sockets: Socket[] = []
  for (let times = 0; times < 2; times++) sockets.push(await server.connected())
  stop.abort()
  expect(await seeking).toBeNull()
  for (const socket of sockets) socket.destroy()
}, 15_000)
