import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { createLogger } from '@banyan/kit/service'
import { expect, it, vi } from 'vitest'
import { until } from '../../../test-support/raw.ts'
import { createFeed } from './feed.ts'

const MEGABYTE = 1_000_000

it('lets a page that does not read miss pictures, rather than keep them for it', async () => {
  let looks = 0
  const logger = createLogger({ name: 'feed under test', level: 'silent' })
  const look = async () => ({ looks: ++looks, ballast: 'x'.repeat(MEGABYTE) })
  const feed = createFeed({ look, first: () => ({}), logger })
  const attached: ServerResponse[] = []
  const server = createServer((_req, res) => {
    feed.attach(res, () => true)
    attached.push(res)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const deaf = connect((server.address() as AddressInfo).port, '127.0.0.1')
  deaf.pause()
  deaf.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await until('it is there', () => attached.length === 1)
  // Far more than the kernel takes on the way.
  await until('it has missed some', () => {
    feed.poke()
    return looks >= 30
  })
  expect(attached[0]!.writableLength).toBeLessThan(3 * MEGABYTE)
  feed.close()
  deaf.destroy()
  server.close()
}, 60_000)

it('takes no picture while nobody looks, and one at a time while somebody does', async () => {
  let underWay = 0
  let most = 0
  let looks = 0
  const feed = createFeed({
    async look() {
      looks += 1
      underWay += 1
      most = Math.max(most, underWay)
      await new Promise((resolve) => setTimeout(resolve, 20))
      underWay -= 1
      return {}
    },
    first: () => ({}),
    logger: createLogger({ name: 'feed under test', level: 'silent' }),
  })
  feed.poke()
  await new Promise((resolve) => setImmediate(resolve))
  expect(looks).toBe(0)
  const server = createServer((_req, res) => feed.attach(res, () => true))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  await until('it goes on', () => {
    for (let pokes = 0; pokes < 100; pokes += 1) feed.poke()
    return looks >= 5
  })
  expect(most).toBe(1)
  feed.close()
  await answer.text()
  server.close()
})

it('shows what has changed at once, and otherwise each second', async () => {
  vi.useFakeTimers()
  let looks = 0
  const look = async () => ({ looks: ++looks })
  const feed = createFeed({ look, first: () => ({}), logger: createLogger({ name: 'feed', level: 'silent' }) })
  const page = { writeHead: () => page, write: () => true, once: () => page, end: () => page, writableNeedDrain: false }
  feed.attach(page as never, () => true)
  await vi.advanceTimersByTimeAsync(10)
  expect(looks).toBe(1)
  await vi.advanceTimersByTimeAsync(500)
  expect(looks).toBe(1)
  feed.poke()
  await vi.advanceTimersByTimeAsync(10)
  expect(looks).toBe(2)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(looks).toBe(3)
  feed.close()
  vi.useRealTimers()
})
