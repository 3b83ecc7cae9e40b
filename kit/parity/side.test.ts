import { createServer, type OutgoingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { compare } from './compare.ts'
import { observe } from './observation.ts'
import { createRuleBook } from './rules.ts'
import { createSide } from './side.ts'

type Answer = { headers?: OutgoingHttpHeaders; body?: string | Buffer }
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function asked({ headers = {}, body = '' }: Answer) {
  const server = createServer((_req, res) => res.writeHead(200, headers).end(body))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const side = createSide({ name: 'one', baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  const observation = await side.ask({ method: 'GET', path: '/', headers: {} })
  await side.close()
  return observation
}
const differences = async (left: Answer, right: Answer) => {
  const [one, other] = [await asked(left), await asked(right)]
  return compare(one, other, 'get', createRuleBook([], '2026-01-01')).map(({ path, kind }) => `${path} ${kind}`)
}
const cookies = (...lines: string[]): Answer => ({ headers: { 'set-cookie': lines } })

it('tells answers apart that are no text, and those that begin with a mark of their encoding', async () => {
  const png = (byte: number): Answer => ({ headers: { 'content-type': 'image/png' }, body: Buffer.from([0x89, byte]) })
  expect(await differences(png(0xff), png(0xff))).toEqual([])
  expect(await differences(png(0xff), png(0xfe))).toEqual(['$.body value'])
  expect(await differences({ body: '\ufefftext' }, { body: 'text' })).toEqual(['$.body value'])
})

it('leaves out what is of the connection and the moment, and nothing else that headers say', () => {
  const connection = { connection: 'close', 'content-length': '1', 'keep-alive': 'timeout=5', 'set-cookie': 'a=b' }
  const headers = { ...connection, date: 'now', 'transfer-encoding': 'chunked', vary: ['a', 'b'], age: '1' }
  expect(observe(200, headers, '').headers).toEqual({ vary: 'a, b', age: '1' })
})

it('tells apart a cookie that is set and one that is taken away, whatever instant it says', async () => {
  const set = (expires: string) => cookies(`sid=; Path=/; Expires=${expires}`)
  const [past, future] = ['Thu, 01 Jan 1970 00:00:00 GMT', 'Fri, 01 Jan 2100 00:00:00 GMT']
  expect(await differences(set(past), set('Fri, 02 Jan 1970 00:00:00 GMT'))).toEqual([])
  expect(await differences(set(past), set(future))).toEqual(['$.cookies.sid.expires value'])
})

it('takes a cookie without a name for the value that it is: a place in a report is no secret', async () => {
  expect(await differences(cookies('planted; Path=/'), cookies('other; Path=/'))).toEqual(['$.cookies..value value'])
})

it('compares JSON by its members whatever kind of JSON it is said to be, and what is called otherwise as a text', async () => {
  const body = (type: string, body: string): Answer => ({ headers: { 'content-type': type }, body })
  for (const type of ['application/json', 'application/problem+json; charset=utf-8'])
    expect(await differences(body(type, '{"a":1,"b":2}'), body(type, '{"b":2,"a":1}'))).toEqual([])
  const lines = 'application/jsonl'
  expect(await differences(body(lines, '{"a":1,"b":2}'), body(lines, '{"b":2,"a":1}'))).toEqual(['$.body value'])
})

it('reads what a cookie says of itself whatever the letters', async () => {
  expect(await differences(cookies('sid=1; HttpOnly; path=/'), cookies('sid=1; httponly; Path=/'))).toEqual([])
})

it('sees each of several cookies of one name', async () => {
  const [old, now] = ['sid=; Path=/old; Max-Age=0', 'sid=7; Path=/']
  expect(await differences(cookies(old, now), cookies(old, now))).toEqual([])
  expect(await differences(cookies(old, now), cookies(now))).toEqual(['$.cookies.sid#1 missing'])
  expect(await differences(cookies(old, now), cookies('sid=1; Path=/old; Max-Age=0', now))).toEqual([
    '$.cookies.sid#1.value format',
  ])
})
