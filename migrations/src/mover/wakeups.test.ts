import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, it } from 'vitest'
import { listenForWakeups } from './wakeups.ts'

let server: Server
let url: string
beforeEach(async () => {
  // It takes connections and says nothing: a control database behind a line that was cut or has frozen.
  server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `postgres://mover@127.0.0.1:${(server.address() as AddressInfo).port}/control`
})
afterEach(() => server.close())

async function connecting() {
  const wakeups = listenForWakeups(url)
  const [socket] = (await once(server, 'connection')) as [Socket]
  socket.on('error', () => undefined)
  return { wakeups, socket }
}

it('closes while it connects to a server that says nothing', async () => {
  const { wakeups, socket } = await connecting()
  await wakeups.close()
  socket.destroy()
})

it('closes while a server breaks the connection that is being made', async () => {
  const { wakeups, socket } = await connecting()
  const closed = wakeups.close()
  socket.resetAndDestroy()
  await closed
})

it('connects again when a connection could not be made', async () => {
  const { wakeups, socket } = await connecting()
  socket.resetAndDestroy()
  const [again] = (await once(server, 'connection')) as [Socket]
  again.on('error', () => undefined)
  await wakeups.close()
  again.destroy()
})
