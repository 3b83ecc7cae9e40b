import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { afterEach, expect, it } from 'vitest'
import { createMailer, type Mailer } from './mailer.ts'
import type { NotificationRow } from './store.ts'

/** Longer than a mail server that scans what it takes needs for a small letter, far less than the lease of one. */
const SLOW_MS = 6_000

const LETTER = {
  event_id: 'e-1',
  recipient: 'ada@example.com',
  subject: 'We have your order 1',
  body: 'Hello',
} as NotificationRow

let ending: (() => void)[] = []
afterEach(() => {
  for (const end of ending) end()
  ending = []
})

/** A mail server that takes every letter, and says so only after a while. @returns a mailer to it, and what it took */
async function slowServer(ms: number): Promise<{ mailer: Mailer; taken: string[] }> {
  const taken: string[] = []
  const server = createServer((socket) => talk(socket, ms, taken)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const mailer = createMailer(`smtp://127.0.0.1:${(server.address() as AddressInfo).port}`)
  ending.push(
    () => mailer.close(),
    () => server.close(),
  )
  return { mailer, taken }
}

function talk(socket: Socket, ms: number, taken: string[]): void {
  const say = (line: string) => socket.write(`${line}\r\n`)
  let inLetter = false
  ending.push(() => socket.destroy())
  createInterface({ input: socket }).on('line', (line) => {
    if (inLetter && line !== '.') {
      if (line.startsWith('Message-ID')) taken.push(line)
    } else if (inLetter) {
      inLetter = false
      setTimeout(() => say('250 taken'), ms)
    } else if (line === 'DATA') {
      inLetter = true
      say('354 go on')
    } else say(line === 'QUIT' ? '221 bye' : '250 ok')
  })
  say('220 slow')
}

it('a server that is slow to say that it has taken a letter is waited for: who gives up would send it twice', async () => {
  const { mailer, taken } = await slowServer(SLOW_MS)
  await mailer.send(LETTER)
  expect(taken).toEqual(['Message-ID: <e-1@banyan-shop>'])
})
