import { EventEmitter, once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { createLogger } from '@banyan/kit/service'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
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
    feed.attach(res, 'ann', () => true)
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
  const server = createServer((_req, res) => feed.attach(res, 'ann', () => true))
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

describe('by the clock', () => {
  const logger = createLogger({ name: 'feed under test', level: 'silent' })
  const warn = vi.spyOn(logger, 'warn')
  let looks: number
  let look: () => Promise<object>
  let feed: ReturnType<typeof createFeed>
  beforeEach(() => {
    vi.useFakeTimers()
    warn.mockClear()
    looks = 0
    look = async () => ({})
    feed = createFeed({
      look() {
        looks += 1
        return look()
      },
      first: () => ({ traffic: [] }),
      logger,
    })
  })
  afterEach(() => {
    feed.close()
    vi.useRealTimers()
  })
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

  /** A page that is open: what it was told, by name, and whether the stream was ended or cut. */
  function open(isWanted = () => true, name = 'ann') {
    const page = Object.assign(new EventEmitter(), {
      told: [] as string[],
      became: 'open',
      writableNeedDrain: false,
      writeHead: () => page,
      write: (text: string) => void page.told.push(/^event: (\w+)/.exec(text)?.[1] ?? text),
      end: () => {
        page.became = 'ended'
      },
      destroy: () => {
        page.became = 'cut'
        page.emit('close')
      },
    })
    feed.attach(page as never, name, isWanted)
    return page
  }

  it('shows what has changed at once, and otherwise each second', async () => {
    const page = open()
    await pass(10)
    expect(looks).toBe(1)
    await pass(500)
    expect(looks).toBe(1)
    feed.poke()
    await pass(10)
    expect(looks).toBe(2)
    await pass(1_000)
    expect(looks).toBe(3)
    expect(page.told).toEqual(['retry: 1000\n\n', 'history', 'state', 'state', 'state'])
  })

  it('takes one more picture after a burst, 50 ms later, and each second from then on', async () => {
    const picture = Promise.withResolvers<object>()
    look = () => picture.promise
    open()
    await pass(0)
    for (let changes = 0; changes < 5; changes += 1) feed.poke()
    picture.resolve({})
    await pass(49)
    expect(looks).toBe(1)
    await pass(1)
    expect(looks).toBe(2)
    await pass(999)
    expect(looks).toBe(2)
    await pass(1)
    expect(looks).toBe(3)
  })

  it('goes on after a picture that could not be taken, and says so in the log', async () => {
    look = () => Promise.reject(new Error('planted'))
    const page = open()
    await pass(0)
    expect([page.told.includes('state'), warn.mock.calls.length]).toEqual([false, 1])
    look = async () => ({})
    await pass(1_000)
    expect(page.told.at(-1)).toBe('state')
  })

  it('says every ten seconds that it is there, where it has nothing else to say', async () => {
    const page = open()
    await pass(20_000)
    expect(page.told).not.toContain('heartbeat')
    look = () => new Promise(() => undefined)
    await pass(1_000)
    page.told.length = 0
    await pass(9_000)
    expect(page.told).toEqual(['heartbeat'])
    await pass(10_000)
    expect(page.told).toEqual(['heartbeat', 'heartbeat'])
  })

  it('cuts a page that has taken nothing for 15 seconds, and none that took something in between', async () => {
    const [deaf, slow] = [open(), open()]
    await pass(0)
    deaf.writableNeedDrain = slow.writableNeedDrain = true
    await pass(10_000)
    slow.writableNeedDrain = false
    await pass(1_000)
    slow.writableNeedDrain = true
    await pass(4_000)
    expect([deaf.became, slow.became]).toEqual(['open', 'open'])
    await pass(2_000)
    expect([deaf.became, slow.became]).toEqual(['cut', 'open'])
  })

  it('ends a page whose session is over, tells it nothing more, and looks no more for it', async () => {
    let isOver = false
    const page = open(() => !isOver)
    await pass(0)
    const told = [...page.told]
    isOver = true
    await pass(1_000)
    expect([page.became, page.told, looks]).toEqual(['ended', told, 2])
    await pass(60_000)
    expect(looks).toBe(2)
  })

  it('ends it though no picture can be taken', async () => {
    look = () => Promise.reject(new Error('planted'))
    let isOver = false
    const page = open(() => !isOver)
    await pass(0)
    isOver = true
    await pass(20_000)
    expect(page.became).toBe('ended')
  })

  it('tells a page nothing whose session was over before it came', async () => {
    const page = open(() => false)
    await pass(1_000)
    expect([page.became, page.told]).toEqual(['ended', ['retry: 1000\n\n']])
  })

  it('looks until the last page has gone, and again for the next', async () => {
    feed.poke()
    await pass(1_000)
    expect(looks).toBe(0)
    const [one, other] = [open(), open()]
    await pass(0)
    one.emit('close')
    await pass(1_000)
    expect(looks).toBe(2)
    other.emit('close')
    feed.poke()
    await pass(10_000)
    expect(looks).toBe(2)
    const before = other.told.length
    open()
    await pass(0)
    expect([looks, other.told.length]).toEqual([3, before])
  })

  const opened = (pages: number, name: string) => Array.from({ length: pages }, () => open(() => true, name))

  it('has room for 20 pages of one name, whose many keep nobody else out, and for another one when one has gone', () => {
    const pages = opened(20, 'ann')
    expect(() => open(() => true, 'ann')).toThrow('You have 20 consoles open at this proxy')
    expect(() => opened(20, 'ben')).not.toThrow()
    pages[7]!.emit('close')
    expect(() => open(() => true, 'ann')).not.toThrow()
  })

  it('has room for 400 pages in all', () => {
    const pages = Array.from({ length: 20 }, (_, index) => opened(20, `operator ${index}`)).flat()
    expect(() => open(() => true, 'ann')).toThrow('400 consoles are open at this proxy')
    pages[7]!.emit('close')
    expect(() => open(() => true, 'ann')).not.toThrow()
  })

  it('ends every page with itself, and looks no more', async () => {
    const pages = [open(), open()]
    await pass(0)
    feed.close()
    expect(pages.map(({ became }) => became)).toEqual(['ended', 'ended'])
    expect([vi.getTimerCount(), looks]).toEqual([0, 1])
  })
})
