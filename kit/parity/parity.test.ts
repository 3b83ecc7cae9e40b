import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { testParity } from './parity.ts'

const folder = mkdtempSync(join(tmpdir(), 'banyan-parity-'))
const servers: Server[] = []
afterAll(() => {
  for (const server of servers) server.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Answers with the price it is sent; a broken one adds to a high price. */
async function start(broken: boolean): Promise<string> {
  const server = createServer(async (req, res) => {
    const text = Buffer.concat(await Array.fromAsync(req)).toString()
    const price = /"price":(\d+)/.exec(text)?.[1]
    res.setHeader('content-type', 'application/json')
    res.end(JSON.stringify({ price: Number(price ?? 0) + (broken && Number(price) > 500 ? 1 : 0) }))
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
  const unused = { at: '$..never', ignore: true, reason: 'it is for what never happens', until: '2099-01-01' }
  writeFileSync(join(folder, 'parity.yaml'), JSON.stringify({ contract: 'api.json', minimum: 5, rules: [unused] }))
  urls = { left: await start(false), alike: await start(false), broken: await start(true) }
})

const run = (right: string, only?: string) => {
  const place = (name: string, url: string) => ({ name, url, sandbox: true, identities: {}, clockShiftMs: 0 })
  return testParity({
    ...{ context: 'things', folder, left: place('old', urls.left), right: place('new', right) },
    ...{ tables: { left: [], right: [] }, seed: 1, requests: 60, only, tries: 300, now: new Date() },
    reproduce: (sequence) => sequence,
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

it('fails for a rule that matches nothing, but not where one sequence alone was asked for', async () => {
  expect((await run(urls.alike)).reasons).toEqual(['the rule at $..never matched nothing; take it out'])
  expect(await run(urls.alike, 'generated 3')).toMatchObject({ verdict: 'alike' })
})
