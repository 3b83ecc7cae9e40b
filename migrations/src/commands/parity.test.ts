import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Report } from '@banyan/kit/parity'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { endWithRunner } from '../../../tests/support/end-with-runner.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const TOKEN = 'a-clerk-of-the-test'
const CLI = resolve(import.meta.dirname, '../cli.ts')

let folder: string
let servers: Server[]
let asked: number
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
  servers = []
  asked = 0
})
afterEach(() => {
  for (const server of servers) server.close()
  rmSync(folder, { recursive: true })
})

/** Answers with the price it is asked for; a broken one adds to a high price. */
async function start(broken: boolean): Promise<string> {
  const server = createServer((req, res) => {
    const price = Number(req.url?.split('/').at(-1))
    res.statusCode = Number.isNaN(price) ? 404 : 200
    if (req.url?.startsWith('/orders') && req.headers.authorization !== `Bearer ${TOKEN}`) res.statusCode = 401
    asked++
    res.setHeader('content-type', 'application/json')
    res.end(JSON.stringify({ price: price + (broken && price > 500 ? 1 : 0), next: price + 100 }))
  })
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const readReport = () => JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) as Report

/** What a shell would run: the tools of this repository are on the path of its own scripts alone. */
async function ended(command: string, args: readonly string[]): Promise<{ code: number | null; said: string }> {
  const PATH = (process.env.PATH ?? '').split(':').filter((place) => !place.includes('node_modules'))
  const env = { ...process.env, PATH: PATH.join(':') }
  const child = endWithRunner(spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], env }))
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => {
      said += part
    })
  return { code: await new Promise((done) => child.once('close', done)), said }
}

it('leaves no report of an earlier run behind when a run cannot be made', () => {
  const reports = ['report.html', 'report.json', 'junit.xml'].map((name) => join(folder, name))
  for (const report of reports) writeFileSync(report, 'alike')
  const { status, stderr } = spawnSync(process.execPath, [CLI, 'parity', 'goods', '--report', folder])
  expect([status, String(stderr)]).toEqual([2, expect.stringContaining('say --left URL and --right URL')])
  expect(reports.filter((report) => existsSync(report))).toEqual([])
})

/** A context called goods, in a folder whose name a shell would take apart. @returns the options that name it */
function goods(statuses: number[], steps: object[]): string[] {
  const mine = join(folder, "the tester's/goods")
  mkdirSync(mine, { recursive: true })
  const put = (file: string, content: unknown) => writeFileSync(join(mine, file), JSON.stringify(content))
  const responses = Object.fromEntries(statuses.map((status) => [status, {}]))
  const parameters = [{ name: 'price', in: 'path', required: true, schema: { type: 'integer' } }]
  const paths = { '/prices/{price}': { get: { operationId: 'priceOf', responses }, parameters } }
  put('api.json', { openapi: '3.1.0', paths })
  put('parity.yaml', { contract: 'api.json', minimum: 1 })
  put('dear.yaml', { scenario: "what's dear", steps })
  return ['parity', 'goods', '--folder', resolve(mine, '..'), '--requests', '0', '--report', folder]
}

it('says in its report a command that shows the difference again, as short as it goes', async () => {
  const [first, last] = [{ get: '/prices/450', capture: { next: '$.body.next' } }, { get: '/prices/{{next}}' }]
  const options = goods([200], [{ get: '/prices/1' }, first, { get: '/prices/2' }, last, { get: '/prices/3' }])
  const sides = ['--left', await start(false), '--right', await start(true)]
  const { code, said } = await ended(process.execPath, [CLI, ...options, ...sides])
  expect(code, said).toBe(1)
  const { command, requests } = readReport().differences[0]!.reproduction!
  expect(said).toContain(command)
  expect(requests).toEqual(['GET /prices/450', 'GET /prices/{{next}}'])
  const again = await ended('sh', ['-c', `${command} --report ${folder}`])
  expect(again.code, again.said).toBe(1)
  expect(readReport()).toMatchObject({
    ...{ verdict: 'different', compared: 2, differences: [{ at: '$.body.price', sample: { left: 550, right: 551 } }] },
  })
}, 60_000)

it('says how many differences it does not show, and that the search for shorter sequences has ended', async () => {
  const steps = Array.from({ length: 22 }, (_, at) => ({ get: `/prices-of-${at}/600` }))
  const sides = ['--left', await start(false), '--right', await start(true)]
  const { code, said } = await ended(process.execPath, [CLI, ...goods([200], steps), ...sides, '--tries', '1'])
  expect([code, readReport().differences.length], said).toEqual([1, 22])
  expect(said).toMatch(/^ {2}and 2 more\n/m)
  expect(said).toMatch(
    /^The search for shorter sequences ended after 10 runs, as many as --tries allows; for 12 differ/m,
  )
  expect(said).toContain('shorter sequences were looked for of 0 of 22 differences\n')
}, 60_000)

it('refuses a context that nothing describes, and sides and files that are none, without quoting from these', async () => {
  const options = goods([200], [{ get: '/prices/1' }])
  const sides = ['--left', 'http://127.0.0.1:1', '--right', 'http://127.0.0.1:1']
  const run = (...args: string[]) => ended(process.execPath, [CLI, ...args])
  const stranger = options.map((one) => (one === 'goods' ? 'nobody' : one))
  const refusals = [
    [[...stranger, ...sides], 'nobody/parity.yaml to say what is compared; '],
    [[...stranger, ...sides], 'has such a file of: goods'],
    [[...options, '--left', 'nonsense', '--right', 'http://127.0.0.1:1'], 'left.url: Invalid URL'],
  ] as const
  for (const [args, why] of refusals)
    expect(await run(...args)).toEqual({ code: 2, said: expect.stringContaining(why) })
  const file = join(folder, 'tokens.json')
  writeFileSync(file, `"${TOKEN}`)
  for (const option of ['--identities', '--sides']) {
    const { code, said } = await run(...options, ...sides, option, file)
    expect([code, said]).toEqual([2, `refused, waits for: ${option} to name a file of JSON; ${file}: it is none\n`])
  }
}, 60_000)

it('takes what was only refused for not covered, where the contract has another answer of it', async () => {
  const sides = ['--left', await start(false), '--right', await start(false)]
  const options = goods([200, 404], [{ get: '/prices/none' }])
  const run = (...more: string[]) => ended(process.execPath, [CLI, ...options, ...sides, ...more])
  expect(await run('--coverage')).toEqual({ code: 2, said: expect.stringContaining('only refused: priceOf\n') })
  // What is read, or recorded for a switch, is what the exit code says.
  expect(readReport()).toMatchObject({ verdict: 'inconclusive', reasons: ['only refused: priceOf'] })
  expect(readFileSync(join(folder, 'report.html'), 'utf8')).toContain('<h1 class="inconclusive">')
  expect(await run()).toEqual({ code: 0, said: expect.not.stringContaining('only refused') })
}, 60_000)

it('asks two sides by the tokens that it is given, and refuses to ask by one that it is not', async () => {
  const sides = ['--left', await start(false), '--right', await start(false)]
  const options = goods([200], [{ get: '/orders/7', as: 'clerk', expect: { status: 200 } }])
  const run = (...more: string[]) => ended(process.execPath, [CLI, ...options, ...sides, ...more])
  expect(await run()).toEqual({
    code: 2,
    said: expect.stringContaining('left has no identity clerk, and sequences ask'),
  })
  expect(asked).toBe(0)
  const identities = join(folder, 'identities.json')
  writeFileSync(identities, JSON.stringify({ clerk: { bearer: TOKEN } }))
  const { code, said } = await run('--identities', identities)
  expect(code, said).toBe(0)
  expect(readReport()).toMatchObject({ verdict: 'alike', unmet: [] })
  expect(said + readFileSync(join(folder, 'report.html'), 'utf8')).not.toContain(TOKEN)
}, 60_000)

it('asks nobody where it is to record and nobody says where', async () => {
  const sides = ['--left', await start(false), '--right', await start(false)]
  const run = await ended(process.execPath, [CLI, ...goods([200], [{ get: '/prices/1' }]), ...sides, '--record'])
  expect(run).toEqual({ code: 2, said: expect.stringContaining('CONTROL_DATABASE_URL is not set') })
  expect(asked).toBe(0)
}, 60_000)

it('sends nothing that writes to sides that are not declared copies, nor anything else of such a run', async () => {
  const sides = ['--left', await start(false), '--right', await start(false)]
  const options = goods([200], [{ get: '/prices/1' }, { delete: '/prices/7' }])
  const run = (...more: string[]) => ended(process.execPath, [CLI, ...options, ...sides, ...more])
  const refusal = 'DELETE /prices/7 writes, and left and right is not declared a sandbox'
  expect(await run()).toEqual({ code: 2, said: expect.stringContaining(refusal) })
  expect(await run('--twin', await start(false))).toEqual({ code: 2, said: expect.stringContaining('and twin is not') })
  expect(asked).toBe(0)
  expect((await run('--sandbox')).code).toBe(0)
  // The read is repeated to know the noise, the write is not; each side says before and after what it runs.
  expect(asked).toBe(3 + 2 + 2 * 2)
}, 60_000)
