import { describe, expect, it } from 'vitest'
import type { Recorded } from './format.ts'
import { type ReplaySettings, toSequences } from './to-sequences.ts'

const SETTINGS: ReplaySettings = { users: [], accounts: [], unique: [], values: {} }
const TOKEN = '‹token aaaaaaaaaaaa›'
let n = 0
const exchange = (
  session: string,
  line: string,
  more: Partial<Recorded> & { ids?: Record<string, string | number> } = {},
): Recorded => {
  const [method = '', path = ''] = line.split(' ')
  const { ids, ...rest } = more
  return { n: n++, at: 0, session, method, path, answer: { status: 200, ...(ids ? { ids } : {}) }, ...rest }
}
const asked = (recording: Recorded[], settings: Partial<ReplaySettings> = {}) =>
  toSequences(recording, { ...SETTINGS, ...settings }).sequences

describe('a recording that is replayed', () => {
  it('asks each side for the ids which that side answered', () => {
    const [sequence] = asked([
      exchange('a', 'GET /products', { ids: { '$.body.items[0].id': 61, '$.body.items[0].categoryId': 3 } }),
      exchange('a', 'GET /products/61'),
      exchange('a', 'POST /orders', { body: { json: { lines: [{ productId: 61, quantity: 3 }] } } }),
      exchange('a', 'GET /categories/3/products'),
      exchange('a', 'GET /orders/61'),
    ])
    const [list, product, order, category, another] = sequence!.steps
    expect(list!.capture).toEqual({
      [`r${n - 5}-0`]: '$.body.items[0].id',
      [`r${n - 5}-1`]: '$.body.items[0].categoryId',
    })
    expect(product!.path).toBe(`/products/{{r${n - 5}-0|61}}`)
    expect(order!.body).toEqual({ lines: [{ productId: `{{r${n - 5}-0|61}}`, quantity: 3 }] })
    expect(category!.path).toBe(`/categories/{{r${n - 5}-1|3}}/products`)
    // The number of a product is no number of an order.
    expect(another!.path).toBe('/orders/61')
  })

  it('keeps sessions apart, but those that use what another one made together, in the order of what happened', () => {
    const recording = [
      exchange('a', 'POST /products', { ids: { '$.body.id': 7 } }),
      exchange('b', 'GET /categories', { ids: { '$.body.items[0].id': 1 } }),
      exchange('c', 'GET /products/7'),
      exchange('a', 'DELETE /products/7'),
      exchange('d', 'GET /categories/1'),
    ]
    expect(
      asked([...recording].reverse()).map(({ name, steps }) => [name, steps.map(({ method }) => method).join()]),
    ).toEqual([
      ['recorded sessions 1, 3', 'POST,GET,DELETE'],
      ['recorded session 2', 'GET'],
      ['recorded session 4', 'GET'],
    ])
  })

  it('sends the token that the login of the replay was answered, in whichever session it was recorded', () => {
    const [sequence, ...more] = asked([
      exchange('a', 'POST /sessions', {
        ids: { '$.body.accessToken': TOKEN },
        body: { json: { email: '‹email bbbbbbbbbbbb›' } },
      }),
      exchange('b', 'GET /me', { user: '‹user cccccccccccc›', token: TOKEN }),
      exchange('b', 'GET /me', { user: '‹user cccccccccccc›', token: TOKEN, answer: { status: 401 } }),
    ])
    expect(more).toEqual([])
    const name = Object.keys(sequence!.steps[0]!.capture!)[0]
    expect(sequence!.steps.map(({ headers }) => headers?.authorization)).toEqual([
      undefined,
      `Bearer {{${name}}}`,
      'Bearer no-longer-valid',
    ])
    expect(sequence!.steps[0]!.body).toEqual({ email: 'recorded.bbbbbbbbbbbb.{{unique}}@example.test' })
  })

  it('makes each user an account, with what the recorded login sent where there is one', () => {
    const accounts = [
      { method: 'POST', path: '/users', body: { mail: '{{email}}', password: '{{password}}' } },
      {
        method: 'POST',
        path: '/sessions',
        body: { mail: '{{email}}', password: '{{password}}' },
        capture: { token: '$.body.token' },
      },
    ]
    const [first, second] = asked(
      [
        exchange('a', 'GET /me', { user: '‹user 111111111111›', token: '‹token 111111111111›' }),
        exchange('a', 'PATCH /me', {
          user: '‹user 111111111111›',
          token: '‹token 111111111111›',
          body: { json: { a: 1 } },
        }),
        exchange('b', 'POST /sessions', {
          body: { json: { mail: '‹email 222222222222›', password: '‹secret 333333333333›' } },
          ids: { '$.body.token': TOKEN },
        }),
      ],
      { accounts },
    )
    expect(first!.steps.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /users',
      'POST /sessions',
      'GET /me',
      'PATCH /me',
    ])
    expect(first!.steps[1]!.capture).toEqual({ 'user1-token': '$.body.token' })
    expect(first!.steps[3]!.headers).toEqual({ authorization: 'Bearer {{user1-token}}' })
    const sent = { mail: 'recorded.222222222222.{{unique}}@example.test', password: 'Recorded-333333333333-9!' }
    expect(second!.steps.map(({ path, body }) => [path, body])).toEqual([
      ['/users', sent],
      ['/sessions', sent],
    ])
  })

  it('is somebody whom the sides know, by what the recorded token claimed', () => {
    const users = [
      { when: { role: 'admin' }, as: 'boss' },
      { as: 'customer', claims: { sub: '{{account}}' } },
    ]
    const who = (id: string, role: string) => ({ user: `‹user ${id}›`, token: `‹token ${id}›`, claims: { role } })
    const [sequence] = asked(
      [
        exchange('a', 'GET /x', who('1', 'admin')),
        exchange('a', 'GET /x', who('2', 'customer')),
        exchange('a', 'GET /x', who('3', 'customer')),
      ],
      { users },
    )
    expect(sequence!.steps.map(({ as, claims }) => [as, claims])).toEqual([
      ['boss', undefined],
      ['customer', { sub: '1000002' }],
      ['customer', { sub: '1000003' }],
    ])
    const unknown = [exchange('a', 'GET /x', who('4', 'robot'))]
    expect(() => asked(unknown)).toThrow(/"role":"robot"/)
  })

  it('sends the version that each side answered, and cookies without a name, also where they had been masked', () => {
    const version = '"‹secret 555555555555›"'
    const [sequence] = asked([
      exchange('a', 'GET /things/7', { ids: { '$.headers.etag': version } }),
      exchange('a', 'PATCH /things/7', { headers: { 'if-match': version }, cookies: { '': TOKEN, a: TOKEN } }),
    ])
    expect(sequence!.steps[1]!.headers).toEqual({
      'if-match': `{{r${n - 2}-0|"Recorded-555555555555-9!"}}`,
      cookie: 'recorded.aaaaaaaaaaaa.token; a=recorded.aaaaaaaaaaaa.token',
    })
  })

  it('sends no template that a client wrote, and leaves out what was not kept', () => {
    const { sequences, skipped } = toSequences(
      [
        exchange('a', 'POST /x', { body: { json: { name: '{{unique}}', sku: 'A-1', card: '‹secret 444444444444›' } } }),
        exchange('a', 'POST /x', { body: { omitted: 'size' } }),
        exchange('a', 'POST /x', { body: { omitted: 'unreadable' } }),
        exchange('a', 'POST /x', { body: { form: { a: ['1', '2'] } } }),
      ],
      { ...SETTINGS, unique: ['sku'], values: { card: 'tok_visa' } },
    )
    expect(skipped).toBe(1)
    expect(sequences[0]!.steps.map(({ body, raw, form }) => body ?? raw ?? form)).toEqual([
      { name: '{ {unique}}', sku: 'A-1-{{unique}}', card: 'tok_visa' },
      '{',
      { a: ['1', '2'] },
    ])
  })
})
