import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/**
 * Sends bytes as they are and returns all that comes back until the peer closes, or `quietMs` pass without a byte after
 * the first one: how long that one takes is the machine's affair.
 */
export function sendRaw(port: number, bytes: string, quietMs = 300): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let received = ''
    socket.on('timeout', () => socket.destroy())
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      socket.setTimeout(quietMs)
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(received))
    socket.write(bytes)
  })
}

/** Sends bytes as they are and returns all that comes back until the connection is closed, be it by a reset. */
export async function readToTheEnd(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1')
  })
  socket.on('error', () => undefined)
  socket.write(bytes)
  await once(socket, 'close')
  return received
}

/** Opens a connection that the test drives itself. */
export function openRaw(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket))
    socket.on('error', reject)
  })
}

/** Waits until a condition holds; fails, naming it, when it does not within the bound. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 5_000): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
