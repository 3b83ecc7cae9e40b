import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { brokerApi } from './broker.ts'

/** Ends a connection as RabbitMQ does one that was idle: at the very moment at which a second question comes by it. */
const server = createServer((req, res) => {
  if (asked.has(req.socket)) return void req.socket.destroy()
  asked.add(req.socket)
  res.end('{}')
})
const asked = new Set<Socket>()
let api: string

beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  api = `http://admin:secret@127.0.0.1:${(server.address() as AddressInfo).port}/api`
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

test('no question to the broker depends on a connection that it may just have given up', async () => {
  for (let n = 0; n < 3; n++) expect(await (await brokerApi(api, 'PUT', `vhosts/${n}`)).json()).toEqual({})
})
