import { afterEach, beforeEach, it } from 'vitest'
import { type SilentServer, startSilentServer } from './testing/silent-server.ts'
import { listenForWakeups } from './wakeups.ts'

let server: SilentServer
beforeEach(async () => {
  server = await startSilentServer()
})
afterEach(() => server.close())

async function connecting() {
  const wakeups = listenForWakeups(server.url)
  return { wakeups, socket: await server.connected() }
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
  const again = await server.connected()
  await wakeups.close()
  again.destroy()
})
