import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ContractClient, createContractClient } from './client.ts'
import { loadOperations } from './load-openapi.ts'

// The suite is only worth what it notices: a server that breaks the contract in one way at a time.
let answer: RequestListener
let client: ContractClient
const server = createServer((req, res) => answer(req, res))

beforeEach(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  client = createContractClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
afterEach(() => new Promise((resolve) => server.close(resolve)))

const HEADERS = { 'x-request-id': 'r', 'cache-control': 'no-cache', etag: 'W/"1"', 'content-type': 'application/json' }
const PAGE = { items: [{ slug: 'garden', name: 'Garden', products: 3 }], page: 1, size: 20, total: 1 }
const PROBLEM = {
  type: 'urn:banyan:problem:invalid-request',
  title: 'Unprocessable Content',
  status: 422,
  code: 'invalid-request',
  detail: 'no',
  instance: '/api/categories',
  traceId: '0'.repeat(32),
}
const answering = (status: number, headers: Record<string, string>, body: unknown) => {
  answer = (_req, res) => res.writeHead(status, headers).end(JSON.stringify(body))
}

describe('the contract’s client', () => {
  it('lets a right answer pass', async () => {
    answering(200, HEADERS, PAGE)
    expect((await client.call('listCategories')).body).toEqual(PAGE)
    expect(client.unseen(['listCategories'], [])).toEqual(['listCategories 304', 'listCategories 422'])
  })

  it.each<[string, number, Record<string, string>, unknown, RegExp]>([
    ['a status that is not documented', 418, HEADERS, PAGE, /status is not documented/],
    ['a missing header', 200, { ...HEADERS, etag: '' }, PAGE, /header etag/i],
    ['a header with another value', 200, { ...HEADERS, 'cache-control': 'public' }, PAGE, /Cache-Control/],
    ['another content type', 200, { ...HEADERS, 'content-type': 'text/plain' }, PAGE, /content type/],
    ['a field too many', 200, HEADERS, { ...PAGE, secret: 1 }, /additional properties/],
    ['a field too few', 200, HEADERS, { ...PAGE, total: undefined }, /required property 'total'/],
    ['a field too many, deep inside', 200, HEADERS, { ...PAGE, items: [{ ...PAGE.items[0], id: 1 }] }, /additional/],
    ['money, or a count, that is no integer', 200, HEADERS, { ...PAGE, total: 1.5 }, /integer/],
    [
      'the refusal of what the contract allows',
      422,
      { ...HEADERS, 'content-type': 'application/problem+json' },
      PROBLEM,
      /refused what the contract allows/,
    ],
  ])('notices %s', async (_, status, headers, body, fault) => {
    answering(status, headers, body)
    await expect(client.call('listCategories')).rejects.toThrow(fault)
  })

  it('notices that what the contract forbids was accepted', async () => {
    answering(200, HEADERS, PAGE)
    await expect(client.call('listCategories', { query: { size: 1_000 } })).rejects.toThrow(/accepted.*size/)
    await expect(client.call('listCategories', { query: { colour: 'red' } })).rejects.toThrow(/accepted/)
  })
})

describe('the contract', () => {
  it('says of every operation who may call it, and what comes back', () => {
    for (const { operationId, method, path, responses, security, parameters = [] } of loadOperations().values()) {
      expect([operationId, Array.isArray(security)]).toEqual([operationId, true])
      expect(Object.keys(responses).some((status) => status < '300')).toBe(true)
      const named = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name)
      expect([method, path, named.sort()]).toEqual([
        method,
        path,
        [...path.matchAll(/\{(\w+)\}/g)].map(([, n]) => n).sort(),
      ])
      if (security.length > 0)
        expect([operationId, Object.keys(responses)]).toEqual([operationId, expect.arrayContaining(['401'])])
    }
  })
})
