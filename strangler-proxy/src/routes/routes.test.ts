import { readFileSync } from 'node:fs'
import { createMaskAnswers } from '@banyan/kit/parity/answers'
import { createMaskExchange } from '@banyan/kit/parity/recording'
import { MistakesError } from '@banyan/kit/yaml'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileRoutes } from './match.ts'
import { parseRoutes } from './parse.ts'
import { parsePattern, relate } from './pattern.ts'

const table = (rules: string) => `contexts: { goods: goods-service, orders: order-service }\nroutes:\n${rules}`
const faults = (text: string): string => {
  try {
    parseRoutes(text, 'shop/routes.yaml')
  } catch (error) {
    if (error instanceof MistakesError) return error.message
    throw error
  }
  return ''
}

describe('a route table with a mistake is refused, with file, line and remedy', () => {
  it.each([
    [
      'an unknown context',
      '  - { method: GET, path: /a, context: good, access: read }',
      ':3: unknown context "good"; known are goods, orders',
    ],
    [
      'an unknown written context',
      '  - { method: PUT, path: /a, context: goods, access: write, writes: [goods, x] }',
      ':3: unknown context "x"',
    ],
    [
      'a trailing slash',
      '  - { method: GET, path: /a/:x, context: goods, access: read }\n  - { method: [PUT, GET], path: /A/:y/, context: goods, access: read }',
      'never match',
    ],
    [
      'the same requests twice',
      '  - { method: GET, path: /a/:x, context: goods, access: read }\n  - { method: [PUT, GET], path: /A/:y, context: goods, access: read }',
      ':4: "PUT|GET /A/:y" is unreachable: line 3',
    ],
    [
      'rules that cross',
      '  - { method: GET, path: /:a/x, context: goods, access: read }\n\n  - { method: GET, path: /y/:b, context: goods, access: read }',
      ':5: "GET /y/:b" overlaps line 3',
    ],
    [
      'rules that cross an open end',
      '  - { method: GET, path: /:a/x, context: goods, access: read }\n  - { method: GET, path: /y/*, context: goods, access: read }',
      'overlaps line 3',
    ],
    [
      'a difference of a rule that there is not',
      '  - { method: GET, path: /a, context: goods, access: read }\ndifferences:\n  - { at: $..x, operation: GET /b, ignore: true, reason: Nobody has asked for it., until: 2100-01-01 }',
      ':5: no rule is called "GET /b"',
    ],
    ['a reserved path', '  - { method: GET, path: /internal/x, context: goods, access: read }', ':3: unreachable'],
    [
      'a read that writes',
      '  - { method: GET, path: /a, context: goods, access: read, writes: [goods] }',
      'a read writes nothing',
    ],
    [
      'a write that leaves its own context out',
      '  - { method: PUT, path: /a, context: goods, access: write, writes: [orders] }',
      'own context "goods" out',
    ],
    [
      'an unknown field',
      '  - { method: GET, path: /a, context: goods, access: read, deadlin: 3s }',
      ':3: routes[0] has the unknown key "deadlin". Remedy: mend the spelling or take it out; the keys here are method, path',
    ],
    [
      'an unknown method',
      '  - { method: FETCH, path: /a, context: goods, access: read }',
      ':3: routes[0].method: Invalid option: expected one of "GET"',
    ],
    [
      'a malformed duration',
      '  - { method: GET, path: /a, context: goods, access: read, deadline: soon }',
      ':3: routes[0].deadline: must be a duration',
    ],
    [
      'an open end in the middle',
      '  - { method: GET, path: /a/*/b, context: goods, access: read }',
      '"*" may only be the last segment',
    ],
    ['a segment of dots', '  - { method: GET, path: /a/.../b, context: goods, access: read }', 'can never match'],
    ['an escape', '  - { method: GET, path: /a%20b, context: goods, access: read }', 'can never match'],
    [
      'no path',
      '  - { method: GET, context: goods, access: read }',
      ':3: routes[0].path is missing. Remedy: add "path:"',
    ],
    ['not YAML', '  - { method: GET', ':3: not readable as YAML'],
  ])('%s', (_what, rules, message) => {
    const said = faults(table(rules))
    expect(said).toContain(message)
    for (const fault of said.split('\n')) expect(fault).toMatch(/^shop\/routes\.yaml:\d+: .+\. Remedy: .+/)
  })

  it('names every fault at once', () => {
    const said = faults(
      table(
        '  - { method: GET, path: a, context: x, access: read }\n  - { method: GET, path: /metrics, context: y, access: read }',
      ),
    )
    expect(said.split('\n')).toHaveLength(4)
  })
})

describe('matching', () => {
  const { routes } = parseRoutes(
    table(`  - { method: GET, path: /api/goods, context: goods, access: read }
  - { method: GET, path: "/api/goods/:id", context: goods, access: read }
  - { method: GET, path: /api/goods/top, context: goods, access: read }
  - { method: PUT, path: "/api/goods/:id", context: goods, access: write }
  - { method: GET, path: "/api/goods/:id/notes/*", context: orders, access: read }
  - { method: GET, path: /, context: goods, access: read }`),
    'routes.yaml',
  )
  const match = compileRoutes(routes)

  it.each([
    ['GET', '/api/goods', '/api/goods'],
    ['GET', '/api/goods/', '/api/goods'],
    ['GET', '/API/Goods/Top', '/api/goods/top'],
    ['PUT', '/api/goods/top', '/api/goods/:id'],
    ['HEAD', '/api/goods/9', '/api/goods/:id'],
    ['GET', '/api/goods/9/notes/a/b', '/api/goods/:id/notes/*'],
    ['GET', '/', '/'],
    ['GET', '/api/goods/9/notes', undefined],
    ['GET', '/api/goodsx', undefined],
    ['GET', '/api', undefined],
    ['POST', '/api/goods', undefined],
    ['HEAD', '/api/goods/9/x', undefined],
  ])('%s %s', (method, path, rule) => {
    expect(match(method, path)?.path).toBe(rule)
  })

  it('two patterns relate as their requests do', () => {
    const segment = fc.constantFrom('a', 'b', ':x')
    const pattern = fc
      .tuple(fc.array(segment, { maxLength: 3 }), fc.boolean())
      .map(([segments, open]) => `/${[...segments, ...(open ? ['*'] : [])].join('/')}`)
    const concrete = fc
      .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 })
      .map((parts) => `/${parts.join('/')}`)
    const matches = (written: string, path: string) =>
      compileRoutes([{ ...routes[0]!, path: written }])('GET', path) !== null
    fc.assert(
      fc.property(pattern, pattern, concrete, (left, right, path) => {
        const relation = relate(parsePattern(left), parsePattern(right))
        const inLeft = matches(left, path)
        const inRight = matches(right, path)
        if (relation === 'disjoint') expect(inLeft && inRight).toBe(false)
        if (relation === 'same') expect(inLeft).toBe(inRight)
        if (relation === 'narrower' && inLeft) expect(inRight).toBe(true)
        if (relation === 'wider' && inRight) expect(inLeft).toBe(true)
      }),
      { numRuns: 5_000 },
    )
  })
})

it("the shop's own table is sound, and an order is held for all it writes", () => {
  const file = new URL('../../shop/routes.yaml', import.meta.url)
  const { routes } = parseRoutes(readFileSync(file, 'utf8'), 'shop/routes.yaml')
  expect(compileRoutes(routes)('POST', '/api/orders')?.writes).toEqual(['orders', 'inventory', 'payments'])
})

describe("the shop's own table says what is personal", () => {
  const file = new URL('../../shop/routes.yaml', import.meta.url)
  const { personal } = parseRoutes(readFileSync(file, 'utf8'), 'shop/routes.yaml')
  const address = { id: 7, name: 'Planted Person', line1: 'Elm 1', postalCode: '10115', city: 'Berlin', country: 'DE' }
  const letter = { subject: 'Your order 7', body: 'Hello Planted Person,' }

  it.each([
    ['/api/orders', { paymentToken: 'tok_visa', shippingAddress: address }],
    ['/api/users', { email: 'kim@example.com', password: 'an elm 1', name: 'Planted Person' }],
    ['/api/users/me/addresses', address],
  ])('in what is recorded of a request to %s', (route, body) => {
    const json = { text: JSON.stringify(body), type: 'application/json' }
    const asked = { ...{ n: 0, at: 0, session: '', route, method: 'POST', url: route, headers: {} }, body: json }
    const recorded = createMaskExchange({ personal, claims: [] })({ ...asked, status: 202, answerHeaders: {} })
    expect(JSON.stringify(recorded)).not.toMatch(/Planted|Elm|an elm|10115|Berlin/)
  })

  it.each([
    ['/api/orders', { items: [{ id: 7, shippingAddress: address }] }],
    ['/api/orders/:id', { id: 7, shippingAddress: address }],
    ['/api/orders/:id/cancel', { id: 7, shippingAddress: address }],
    ['/api/orders/:id/shipment', { id: 7, address }],
    ['/api/notifications', { items: [letter] }],
    ['/api/users/me', { id: 7, name: 'Planted Person' }],
    ['/api/users/me/addresses', { items: [address] }],
  ])('in what is kept of an answer of %s', (route, body) => {
    const question = { route, method: 'GET', url: route, headers: {} }
    const answer = { status: 200, headers: {}, cookies: {}, body }
    const kept = createMaskAnswers(personal)(question, [answer, answer], [])
    expect(JSON.stringify(kept)).not.toMatch(/Planted|Elm|10115|Berlin/)
    expect(JSON.stringify(kept)).toContain(JSON.stringify(body).includes('subject') ? 'Your order 7' : '"id":7')
  })
})
