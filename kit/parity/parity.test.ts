import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ParityOptions, testParity } from './parity.ts'
import { htmlOf } from './report-html.ts'
import { junitOf } from './report-junit.ts'

const folder = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
const servers: Server[] = []
afterAll(() => {
  for (const server of servers) server.close()
  rmSync(folder, { recursive: true, force: true })
})

/**
 * Answers with the price it is sent, and the next; a broken one adds to a high price, where it is asked `?once` only
 * once, where it is asked `?often` in eight members, and where it is asked `?in=x` in the member x instead.
 */
async function start(broken: boolean): Promise<string> {
  let once = 0
  const server = createServer(async (req, res) => {
    const text = Buffer.concat(await Array.fromAsync(req)).toString()
    const price = /"price":(\d+)/.exec(text)?.[1]
    res.statusCode = req.url?.startsWith('/things') ? 200 : 404
    res.setHeader('content-type', 'application/json')
    const again = req.url?.endsWith('once') && once++ > 0
    const more = broken && Number(price) > 500 && !again ? 1 : 0
    const own = /in=(\w)/.exec(req.url ?? '')?.[1]
    const names = own ? [own] : req.url?.endsWith('often') ? [...'abcdefgh'] : []
    const often = names.map((name) => [name, more])
    const body = { price: Number(price ?? 0) + (own ? 0 : more), next: Number(price ?? 0) + 100 }
    res.end(JSON.stringify({ ...body, ...Object.fromEntries(often) }))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const schema = {
  type: 'object',
  required: ['price'],
  properties: { price: { type: 'integer', minimum: 0, maximum: 1000 } },
}
const post = { operationId: 'add', requestBody: { content: { 'application/json': { schema } } }, responses: {} }
let urls: { left: string; alike: string; broken: string }
beforeAll(async () => {
  writeFileSync(join(folder, 'api.json'), JSON.stringify({ openapi: '3.1.0', paths: { '/things': { post } } }))
  const unused = { at: '$.body.never', ignore: true, reason: 'it is for what never happens', until: '2099-01-01' }
  const [rows, any] = [
    { ...unused, at: '$.rows.*.changed[*].at' },
    { ...unused, at: '$..at' },
  ]
  writeFileSync(
    join(folder, 'parity.yaml'),
    JSON.stringify({ contract: 'api.json', minimum: 5, rules: [unused, rows, any] }),
  )
  urls = { left: await start(false), alike: await start(false), broken: await start(true) }
})

const run = (right: string, only?: string, more: Partial<ParityOptions> = {}, clockShiftMs = 0) => {
  const place = (name: string, url: string) => ({ name, url, sandbox: true, identities: {}, clockShiftMs })
  return testParity({
    ...{ context: 'things', folder, left: place('old', urls.left), right: place('new', right) },
    ...{ tables: { left: [], right: [] }, seed: 1, requests: 60, only, tries: 300, now: new Date() },
    reproduce: (sequence) => sequence,
    ...more,
  })
}

it('repeats just the shortest sequence of a difference by the command it gives', async () => {
  const { differences } = await run(urls.broken)
  const [{ reproduction, origin } = {}] = differences
  expect(reproduction?.requests).toHaveLength(1)
  expect(reproduction?.command).not.toBe(origin?.sequence)
  const again = await run(urls.broken, reproduction?.command)
  expect(again).toMatchObject({ verdict: 'different', compared: 1 })
  expect(JSON.stringify(reproduction?.requests)).toContain(String(again.differences[0]?.sample.left))
})

it('says that there is no such sequence, rather than that nothing was compared', async () => {
  await expect(run(urls.alike, 'no such')).rejects.toThrow('--only no such: there is no sequence')
})

it('fails for a rule that matches nothing, but not for one of rows that nobody sees, nor where one sequence was asked for', async () => {
  expect((await run(urls.alike)).reasons).toEqual(['the rule at $.body.never matched nothing; take it out'])
  expect(await run(urls.alike, 'generated 3')).toMatchObject({ verdict: 'alike' })
})

it('repeats just the steps of a scenario that a difference needs, by the command it gives', async () => {
  const prices = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
  const put = (file: string, content: unknown) => writeFileSync(join(prices, file), JSON.stringify(content))
  put('parity.yaml', { contract: relative(prices, join(folder, 'api.json')), minimum: 5 })
  const steps = [
    { post: '/things', body: { price: 3 } },
    { post: '/things', body: { price: 450 }, capture: { next: '$.body.next' }, expect: { 'body.price': 450 } },
    { post: '/things', body: { price: 4 } },
    { name: 'too high', post: '/things', body: { price: '{{next}}' }, expect: { status: 200 } },
    { post: '/things', body: { price: 5 } },
  ]
  put('prices.yaml', { scenario: 'a price goes up', steps })
  const [whole, again] = [{ folder: prices, requests: 0 }, { folder: prices }]
  const { differences, compared } = await run(urls.broken, undefined, whole)
  const { reproduction } = differences[0]!
  expect([differences.length, compared, reproduction?.command]).toEqual([1, 5, 'a price goes up: steps 2,4'])
  expect(reproduction?.requests).toEqual(['POST /things {"price":450}', 'POST /things {"price":"{{next}}"}'])
  const shorter = await run(urls.broken, reproduction?.command, again)
  rmSync(prices, { recursive: true })
  expect(shorter).toMatchObject({ verdict: 'different', compared: 2, unmet: [] })
  expect(shorter.differences[0]?.sample).toEqual(differences[0]?.sample)
})

it('shows a difference that its first sequence does not show again by another one that does', async () => {
  const prices = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
  const put = (file: string, content: unknown) => writeFileSync(join(prices, file), JSON.stringify(content))
  put('parity.yaml', { contract: relative(prices, join(folder, 'api.json')), minimum: 1 })
  put('a.yaml', { scenario: 'once', steps: [{ post: '/things?once', body: { price: 600 } }] })
  const steps = [
    { post: '/things', body: { price: 1 } },
    { post: '/things', body: { price: 600 } },
  ]
  put('b.yaml', { scenario: 'always', steps })
  const { differences } = await run(urls.broken, undefined, { folder: prices, requests: 0 })
  rmSync(prices, { recursive: true })
  expect(differences).toMatchObject([{ origin: { sequence: 'once' }, reproduction: { command: 'always: steps 2' } }])
})

it('shows differences beyond those it looks for by what it found for these, and says where it looked for nothing', async () => {
  const prices = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
  const put = (file: string, content: unknown) => writeFileSync(join(prices, file), JSON.stringify(content))
  put('parity.yaml', { contract: relative(prices, join(folder, 'api.json')), minimum: 1 })
  const steps = [1, 2, 600].map((price) => ({ post: '/things?often', body: { price } }))
  put('often.yaml', { scenario: 'often', steps })
  const found = await run(urls.broken, undefined, { folder: prices, requests: 0 })
  const unsought = await run(urls.broken, undefined, { folder: prices, requests: 0, tries: 0 })
  rmSync(prices, { recursive: true })
  const shown = ({ differences }: typeof found) => differences.map(({ reproduction }) => reproduction)
  const shortest = { command: 'often: steps 3', requests: ['POST /things?often {"price":600}'], shortened: true }
  expect(shown(found)).toEqual(Array(9).fill(shortest))
  expect(shown(unsought)).toEqual(
    Array(9).fill({
      ...shortest,
      command: 'often',
      requests: expect.objectContaining({ length: 3 }),
      shortened: false,
    }),
  )
  expect(htmlOf(found)).toContain('Shortest way found to see it')
  expect(htmlOf(unsought)).not.toContain('Shortest')
  expect(junitOf(found)).toContain('often: steps 3')
})

/** Twelve things that differ, each in a scenario of its own, and in the last one something of another operation. */
async function differInMuch(tries: number) {
  const prices = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
  const put = (file: string, content: unknown) => writeFileSync(join(prices, file), JSON.stringify(content))
  put('parity.yaml', { contract: relative(prices, join(folder, 'api.json')), minimum: 1 })
  const paths = [...[...'abcdefghijkl'].map((name) => `/things?in=${name}`), '/elsewhere?in=m']
  for (const path of paths) {
    const scenario = `of ${path.at(-1)}`
    const steps = ['/things?first', path].map((post, at) => ({ post, body: { price: 600 * at } }))
    put(`${scenario}.yaml`, { scenario, steps })
  }
  const searching: string[] = []
  const report = await run(urls.broken, undefined, {
    ...{ folder: prices, requests: 0, tries },
    searching: ({ looked, of }) => void searching.push(`${looked} of ${of}`),
  })
  rmSync(prices, { recursive: true })
  expect(report.differences).toHaveLength(13)
  return { report, paths, searching }
}

it('shows each of many differences by a shortest sequence of its own, and says how far it has come', async () => {
  const { report, paths, searching } = await differInMuch(40)
  expect(report.differences.map(({ reproduction }) => reproduction)).toEqual(
    paths.map((path) => ({
      ...{ command: `of ${path.at(-1)}: steps 2`, requests: [`POST ${path} {"price":600}`], shortened: true },
    })),
  )
  expect(report.search).toMatchObject({ most: 400, unsought: 0 })
  expect(htmlOf(report)).not.toContain('The search')
  expect([searching.length, searching[0], searching.at(-1)]).toEqual([13, '0 of 13', '12 of 13'])
})

it('ends its search after ten times the runs of one, says so, and has looked at each operation by then', async () => {
  const { report } = await differInMuch(1)
  expect(report.search).toEqual({ runs: 10, most: 10, unsought: 3 })
  const unsought = report.differences.filter(({ reproduction }) => !reproduction?.shortened)
  expect(unsought.map(({ at }) => at)).toEqual(['$.body.j', '$.body.k', '$.body.l'])
  expect(htmlOf(report)).toContain(
    'The search for shorter sequences ended after 10 runs, as many as --tries allows; for 3 differences none was looked for.',
  )
})

it('makes what it found for one difference shorter for another that needs less of it', async () => {
  const prices = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
  const put = (file: string, content: unknown) => writeFileSync(join(prices, file), JSON.stringify(content))
  put('parity.yaml', { contract: relative(prices, join(folder, 'api.json')), minimum: 1 })
  const steps = [
    { post: '/things', body: { price: 600 } },
    { post: '/things', body: { price: 1 } },
    { post: '/things?in=a', body: { price: 600 }, capture: { next: '$.body.next' } },
    { post: '/things', body: { price: 2 } },
    { post: '/elsewhere?in=b', body: { price: '{{next}}' } },
  ]
  put('two.yaml', { scenario: 'two', steps })
  const { differences } = await run(urls.broken, undefined, { folder: prices, requests: 0 })
  const again = await run(urls.broken, 'two: steps 3', { folder: prices, requests: 0 })
  rmSync(prices, { recursive: true })
  expect(differences.map(({ at, reproduction }) => [at, reproduction?.command])).toEqual([
    ['$.body.price', 'two: steps 1'],
    // Looked for last, when it had been seen by the sequence of the next one.
    ['$.body.a', 'two: steps 3'],
    ['$.body.b', 'two: steps 3,5'],
  ])
  expect(again.differences.map(({ at }) => at)).toEqual(['$.body.a'])
})

it('refuses an operation that the contract does not know, for it would be missed by nobody', async () => {
  const typo = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
  const settings = { contract: relative(typo, join(folder, 'api.json')), operations: ['add', 'ad'] }
  writeFileSync(join(typo, 'parity.yaml'), JSON.stringify(settings))
  await expect(run(urls.alike, undefined, { folder: typo })).rejects.toThrow('the contract has no ad')
  rmSync(typo, { recursive: true })
})

it('tells what was only refused, where the contract has another answer of it, from what was compared', async () => {
  const goods = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
  const put = (file: string, content: unknown) => writeFileSync(join(goods, file), JSON.stringify(content))
  const get = (operationId: string, ...statuses: number[]) => {
    const responses = Object.fromEntries(statuses.map((status) => [status, {}]))
    return { get: { operationId, responses } }
  }
  const paths = { '/things': get('all', 200), '/lost': get('lost', 200, 404), '/gone': get('gone', 410, 404) }
  put('api.json', { openapi: '3.1.0', paths: { ...paths, '/never': get('never', 200) } })
  put('parity.yaml', { contract: 'api.json', minimum: 1 })
  put('goods.yaml', { scenario: 'goods', steps: ['/things', '/lost', '/gone'].map((path) => ({ get: path })) })
  const report = await run(urls.alike, undefined, { folder: goods, requests: 0 })
  rmSync(goods, { recursive: true })
  expect(report).toMatchObject({ verdict: 'alike', uncovered: ['never'], onlyRefused: ['lost'] })
})

it("judges a rule's day by the true date, whatever the clock of the worlds says", async () => {
  const rules = async (now: string, clockShiftMs: number) =>
    (await run(urls.alike, 'generated 3', { now: new Date(now) }, clockShiftMs)).rules[0]?.expired
  const century = 100 * 365 * 86_400_000
  expect(await rules('2099-01-01T12:00:00Z', century)).toBe(false)
  expect(await rules('2099-01-02T00:00:00Z', -century)).toBe(true)
})

it('proves nothing of a side that ran another build at the end than at the start', async () => {
  let looks = 0
  const running = async (build: () => string) => {
    const server = createServer((req, res) => {
      const told = req.url === '/health/ready' ? build() : undefined
      res.setHeader('content-type', 'application/json').end(JSON.stringify({ build: told, price: 0, next: 100 }))
    })
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  const urls = { old: await running(() => 'goods+0'), new: await running(() => `goods+${looks++}`) }
  const [left, right] = Object.entries(urls).map(([name, url]) => ({
    ...{ name, url, sandbox: true },
    identities: {},
    clockShiftMs: 0,
  }))
  const { verdict, reasons } = await run(urls.new, 'generated 3', { left: left!, right: right! })
  expect(verdict).toBe('inconclusive')
  expect(reasons).toContain('new runs another build than at the start')
})

it('refuses to compare a side with itself, or to take the other side for the twin', async () => {
  const place = (name: string, url: string, more = {}) => ({
    ...{ name, url, sandbox: true, identities: {}, clockShiftMs: 0 },
    ...more,
  })
  const [left, right] = [place('old', urls.left), place('new', urls.broken)]
  await expect(run(`${urls.left}/`)).rejects.toThrow('old and new have the same url')
  await expect(run(urls.broken, undefined, { twin: place('twin', urls.broken) })).rejects.toThrow('new and twin have')
  for (const what of ['database', 'amqp']) {
    const shared = { [what]: 'postgres://127.0.0.1:1/one' }
    const sides = { left: { ...left, ...shared }, right: { ...right, ...shared } }
    await expect(run(urls.broken, undefined, sides)).rejects.toThrow(`old and new have the same ${what}`)
  }
})

it('refuses to look at what one side does and not at what the other does', async () => {
  const right = {
    name: 'new',
    url: urls.alike,
    sandbox: true,
    identities: {},
    clockShiftMs: 0,
    database: 'postgres://',
  }
  await expect(run(urls.alike, undefined, { right })).rejects.toThrow('old has no database')
})
