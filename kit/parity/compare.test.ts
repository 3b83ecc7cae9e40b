import { describe, expect, it } from 'vitest'
import { compare } from './compare.ts'
import { matcher } from './path.ts'
import { createRuleBook, ruleShape } from './rules.ts'

const SAID = { reason: 'the test says why', until: '2030-01-01' }
const book = (...rules: object[]) =>
  createRuleBook(
    rules.map((rule) => ruleShape.parse({ ...SAID, ...rule })),
    '2026-06-01',
  )
const differences = (left: unknown, right: unknown, ...rules: object[]) =>
  compare(left, right, 'get', book(...rules)).map(({ path, kind }) => `${path} ${kind}`)

describe('comparing two answers', () => {
  it('tells absent from null, and null from a value', () => {
    expect(differences({ a: 1 }, { a: 1, b: null })).toEqual(['$.b extra'])
    expect(differences({ a: 1, b: 2 }, { a: 1 })).toEqual(['$.b missing'])
    expect(differences({ a: null }, { a: 'x' })).toEqual(['$.a type'])
  })

  it('tells a member that every object of JavaScript has from one that was said', () => {
    for (const name of ['__proto__', 'constructor', 'toString'])
      expect(differences(JSON.parse(`{"a":1,"${name}":{}}`), { a: 1 })).toEqual([`$.${name} missing`])
  })

  it('tells another form from another value', () => {
    expect(differences({ at: '2026-01-01T00:00:00Z' }, { at: '2026-01-01T01:00:00+01:00' })).toEqual(['$.at format'])
    expect(differences({ at: '2026-01-01T00:00:00Z' }, { at: '2026-01-01T01:00:00Z' })).toEqual(['$.at value'])
    expect(differences({ id: 7 }, { id: '7' })).toEqual(['$.id type'])
  })

  it('says once that a list is in another order, and how long another list is', () => {
    expect(differences([1, 2, 3], [3, 2, 1])).toEqual(['$ order'])
    expect(differences([1, 2, 3], [1, 2])).toEqual(['$ length'])
  })
})

describe('comparing what became of requests sent at once', () => {
  const outcomes = (...left: number[]) => ({
    outcomes: left.map((number) => ({ status: number < 0 ? 409 : 200, body: { left: number } })),
  })

  it('asks for the same set, whoever of them it was that had which', () => {
    expect(differences(outcomes(2, 1, 0, -1), outcomes(0, 1, 2, -1))).toEqual([])
    expect(differences({ body: outcomes(2, 1) }, { body: outcomes(1, 2) })).toEqual(['$.body.outcomes order'])
  })

  it('tells another set, by what became of them first', () => {
    expect(differences(outcomes(2, 1, -1), outcomes(2, 2, -1))).toEqual(['$.outcomes[0].body.left value'])
    expect(differences(outcomes(9, -1), outcomes(9, 8))).toEqual(expect.arrayContaining(['$.outcomes[1].status value']))
    expect(differences(outcomes(1, 1), outcomes(1))).toEqual(['$.outcomes length'])
  })
})

describe('rules', () => {
  it('ignore what they name, and nothing beside it', () => {
    const [left, right] = [
      { meta: { a: 1 }, b: 1 },
      { meta: { a: 2 }, b: 2 },
    ]
    expect(differences(left, right, { at: '$.meta', ignore: true })).toEqual(['$.b value'])
    expect(differences(left, right, { at: '$.meta', operation: 'other', ignore: true })).toHaveLength(2)
  })

  it('allow numbers to be near, and no farther', () => {
    // 1.01 - 1 is a little more than 0.01.
    expect(differences({ price: 1 }, { price: 1.01 }, { at: '$.price', tolerance: 0.01 })).toEqual([])
    expect(differences({ price: 1 }, { price: 1.02 }, { at: '$.price', tolerance: 0.01 })).toEqual(['$.price value'])
    const rule = { at: '$.price', tolerance: 1 }
    expect(differences({ price: 10 }, { price: 11 }, rule)).toEqual([])
    expect(differences({ price: 10 }, { price: 12 }, rule)).toEqual(['$.price value'])
    // Text is no number, and what is the same is no difference.
    expect(differences({ price: '10' }, { price: '10.5' }, rule)).toEqual(['$.price value'])
    expect(differences({ price: 'free' }, { price: 'free' }, rule)).toEqual([])
  })

  it('pair the elements of a list by a member', () => {
    const rule = { at: '$.items', unordered: 'sku' }
    const items = [
      { sku: 'A', left: 1 },
      { sku: 'B', left: 2 },
    ]
    expect(differences({ items }, { items: [...items].reverse() }, rule)).toEqual([])
    expect(differences({ items }, { items: [{ sku: 'B', left: 3 }, items[0]] }, rule)).toEqual([
      '$.items[1].left value',
    ])
  })

  it('pair those of one member, and those in which something may vary, by the rest of them', () => {
    const rule = { at: '$.items', unordered: 'sku' }
    const items = [2, 1].map((left) => ({ sku: 'A', left }))
    expect(differences({ items }, { items: [...items].reverse() }, rule)).toEqual([])
    expect(
      differences(
        { items },
        {
          items: [
            { sku: 'A', left: 1 },
            { sku: 'A', left: 3 },
          ],
        },
        rule,
      ),
    ).toEqual(['$.items[1].left value'])
    const ids = { at: '$..id', bijection: 'item' }
    const [one, other] = [
      [
        { id: 9, name: 'a' },
        { id: 10, name: 'b' },
      ],
      [
        { id: 12, name: 'b' },
        { id: 11, name: 'a' },
      ],
    ]
    for (const by of ['id', '.'])
      expect(differences({ items: one }, { items: other }, { at: '$.items', unordered: by }, ids)).toEqual([])
    const told = (...pairs: [name: string, second: number][]) => ({
      items: pairs.map(([name, second]) => ({ at: `2026-01-01T00:00:0${second}Z`, name })),
    })
    const [members, turned] = [
      {
        items: [
          { a: 1, b: 2 },
          { a: 2, b: 1 },
        ],
      },
      {
        items: [
          { b: 1, a: 2 },
          { b: 2, a: 1 },
        ],
      },
    ]
    expect(differences(members, turned, { at: '$.items', unordered: '.' })).toEqual([])
    const window = { at: '$..at', window: '5s' }
    expect(
      differences(told(['a', 0], ['b', 2]), told(['a', 3], ['b', 1]), { at: '$.items', unordered: '.' }, window),
    ).toEqual([])
  })

  it('pair by nothing that is ignored, be it a list, and by the order of a list in which that says nothing neither', () => {
    const items = (...lists: [name: string, at: number[], tags: string[]][]) => ({
      items: lists.map(([name, at, tags]) => ({ at, name, tags })),
    })
    const ignored = { at: '$..at', ignore: true }
    const unordered = { at: '$.items', unordered: '.' }
    const one = items(['a', [1], []], ['b', [2], []])
    expect(differences(one, items(['a', [4], []], ['b', [3], []]), ignored, unordered)).toEqual([])
    const tags = { at: '$..tags', unordered: '.' }
    const [tagged, other] = [items(['a', [], ['x']], ['a', [], ['y']]), items(['a', [], ['y']], ['a', [], ['x']])]
    expect(differences(tagged, other, tags)).toEqual(['$.items order'])
    const both = items(['a', [], ['x', 'y']], ['a', [], ['z']])
    expect(differences(both, items(['a', [], ['z']], ['a', [], ['y', 'x']]), tags, unordered)).toEqual([])
  })

  it('are not used by a member that no element has', () => {
    const rules = book({ at: '$.items', unordered: 'sku' }, { at: '$.items[*].sku', ignore: true })
    compare({ items: [{}] }, { items: [{}] }, 'get', rules)
    expect(rules.uses().map(({ used }) => used > 0)).toEqual([true, false])
  })

  it('make no difference of what is null on either side', () => {
    const kinds = [{ tolerance: 1 }, { pattern: '^W/' }, { window: '1s' }, { bijection: 'a' }]
    for (const kind of kinds) expect(differences({ a: null }, { a: null }, { at: '$.a', ...kind })).toEqual([])
  })

  it('do not keep a list in another order from being seen as that', () => {
    const items = ['b', 'a'].map((sku) => ({ sku, at: '2026-01-01T00:00:00Z' }))
    const later = ['a', 'b'].map((sku) => ({ sku, at: '2026-01-01T00:00:01Z' }))
    expect(differences({ items }, { items: later }, { at: '$..at', window: '5s' })).toEqual(['$.items order'])
  })

  it('ask both for a form', () => {
    const rule = { at: '$.tag', pattern: '^W/"' }
    expect(differences({ tag: 'W/"1"' }, { tag: 'W/"2"' }, rule)).toEqual([])
    expect(differences({ tag: 'W/"1"' }, { tag: '"2"' }, rule)).toEqual(['$.tag value'])
    expect(differences({ tag: '"1"' }, { tag: 'W/"2"' }, rule)).toEqual(['$.tag value'])
  })

  it('allow instants within a time, in one form only', () => {
    const rule = { at: '$.at', window: '5s' }
    const at = '2026-01-01T00:00:00.000Z'
    expect(differences({ at }, { at: '2026-01-01T00:00:04.000Z' }, rule)).toEqual([])
    expect(differences({ at }, { at: '2026-01-01T00:00:06.000Z' }, rule)).toEqual(['$.at value'])
    expect(differences({ at }, { at: '2026-01-01T01:00:00.000+01:00' }, rule)).toEqual(['$.at value'])
    // As a token has them, and as JavaScript does.
    for (const [second, now] of [
      [1, 1_767_225_600],
      [1_000, 1_767_225_600_000],
    ] as const) {
      expect(differences({ at: now }, { at: now + 5 * second }, rule)).toEqual([])
      expect(differences({ at: now }, { at: now + 6 * second }, rule)).toEqual(['$.at value'])
    }
    expect(differences({ at: null }, { at: null }, rule)).toEqual([])
    expect(differences({ at: null }, { at }, rule)).toEqual(['$.at type'])
  })

  it('let an id be another, but the same other everywhere', () => {
    const rule = { at: '$..id', bijection: 'order' }
    const pairs = (left: number[], right: number[]) =>
      differences({ list: left.map((id) => ({ id })) }, { list: right.map((id) => ({ id })) }, rule)
    expect(pairs([1, 2, 1], [7, 8, 7])).toEqual([])
    expect(pairs([1, 2, 1], [7, 8, 9])).toEqual(['$.list[2].id value'])
    expect(pairs([1, 2], [7, 7])).toEqual(['$.list[1].id value'])
    const told = (left: string, right: string) =>
      differences({ list: [{ id: 1 }, { id: left }] }, { list: [{ id: 7 }, { id: right }] }, rule)
    expect(told('1', '7')).toEqual([])
    expect(told('1', '8')).toEqual(['$.list[1].id value'])
  })

  it('let an id inside a text be another, but the same other as where it stands alone, and nothing beside it', () => {
    const rules = [
      { at: '$.headers.location', bijection: 'order', within: '^/api/orders/(\\d+)$' },
      { at: '$.body.id', bijection: 'order' },
      { at: '$.body.links[*]', bijection: 'order', within: '/users/(?<user>\\d+)|/orders/(\\d+)' },
    ]
    const answer = (location: string, id: number, ...links: string[]) => ({
      headers: { location },
      body: { id, links },
    })
    const left = answer('/api/orders/17', 17, 'see /users/5/orders/17 and /orders/16')
    const seen = (location: string, id: number, ...links: string[]) =>
      differences(left, answer(location, id, ...links), ...rules)
    expect(seen('/api/orders/40', 40, 'see /users/17/orders/40 and /orders/39')).toEqual([])
    // An id that stays the same where the others differ is as wrong as a third one.
    for (const id of ['17', '41'])
      expect(seen(`/api/orders/${id}`, 40, 'see /users/5/orders/40 and /orders/39')).toContain('$.body.id value')
    for (const link of ['see /users/5/orders/17 and /orders/39', 'see /users/5/orders/40 and /orders/40'])
      expect(seen('/api/orders/40', 40, link)).toEqual(['$.body.links[0] value'])
    for (const link of ['See /users/5/orders/40 and /orders/39', 'see /users/5 and /orders/39', 'nothing'])
      expect(seen('/api/orders/40', 40, link)).toEqual(['$.body.links[0] value'])
    const kinds = { at: '$.body.id', bijection: 'order', within: '(?<user>u\\d+)|(\\d+)' }
    expect(differences({ body: { id: 'u5' } }, { body: { id: 'u6' } }, kinds)).toEqual([])
    expect(differences({ body: { id: 'u5' } }, { body: { id: '5' } }, kinds)).toEqual(['$.body.id value'])
    // A group inside another is no id of its own.
    const within = { at: '$.body.links[*]', bijection: 'order', within: '/orders/((\\d+)-\\w)' }
    const nested = (link: string, id: number) => ({ body: { links: [link], id } })
    expect(differences(nested('/orders/17-a', 17), nested('/orders/40-b', 41), within, rules[1]!)).toEqual([])
    expect(seen('/API/orders/40', 40, 'see /users/5/orders/40 and /orders/39')).toEqual(['$.headers.location value'])
    expect(differences(answer('/a', 1), answer('/b', 1), ...rules)).toEqual(['$.headers.location value'])
  })

  it('count their use, and end on their day', () => {
    const rules = createRuleBook(
      [
        ruleShape.parse({ ...SAID, at: '$.a', ignore: true }),
        ruleShape.parse({ ...SAID, at: '$.b', ignore: true, until: '2026-05-31' }),
        ruleShape.parse({ ...SAID, at: '$.never', ignore: true }),
      ],
      '2026-06-01',
    )
    expect(compare({ a: 1, b: 1 }, { a: 2, b: 2 }, 'get', rules)).toHaveLength(1)
    expect(rules.uses().map(({ used, expired }) => [used > 0, expired])).toEqual([
      [true, false],
      [false, true],
      [false, false],
    ])
  })

  it('must say why, until when, and exactly one thing', () => {
    expect(ruleShape.safeParse({ at: '$.a', ignore: true }).success).toBe(false)
    expect(ruleShape.safeParse({ ...SAID, at: '$.a' }).success).toBe(false)
    expect(ruleShape.safeParse({ ...SAID, at: '$.a', ignore: true, reason: 'because' }).success).toBe(false)
    for (const tolerance of [0, -1, '1'])
      expect(ruleShape.safeParse({ ...SAID, at: '$.a', tolerance }).success).toBe(false)
    expect(ruleShape.safeParse({ ...SAID, at: '$.a', ignore: true, tolerance: 1 }).success).toBe(false)
    expect(ruleShape.safeParse({ ...SAID, at: '$.a', pattern: 'a', within: '(a)' }).success).toBe(false)
    for (const within of ['/orders/\\d+', '/orders/(?:\\d+)', '('])
      expect(ruleShape.safeParse({ ...SAID, at: '$.a', bijection: 'a', within }).success).toBe(false)
    for (const until of ['2027-02-31', '2026-99-99', 'soon'])
      expect(ruleShape.safeParse({ ...SAID, until, at: '$.a', ignore: true }).success).toBe(false)
    for (const at of ['$.a[*', '$.a[?(@.b)]', '$body.x', "$['a']", 'a'])
      expect(ruleShape.safeParse({ ...SAID, at, ignore: true }).success).toBe(false)
    for (const at of ['$', '$..traceId', '$.headers.x-request-id', '$.items[*].a', '$.rows.*.added[0]'])
      expect(ruleShape.safeParse({ ...SAID, at, ignore: true }).success).toBe(true)
  })
})

describe('path patterns', () => {
  it.each([
    ['$.a.b', '$.a.b', true],
    ['$.a.b', '$.axb', false],
    ['$.items[*].id', '$.items[12].id', true],
    ['$.items[*].id', '$.items.id', false],
    ['$..id', '$.id', true],
    ['$..id', '$.items[3].lines[0].id', true],
    ['$..id', '$.items[3].orderid', false],
    ['$.events..id', '$.events[0].data.id', true],
    ['$.events..id', '$.events[0].id', true],
    ['$.events..id', '$.events.id', true],
    ['$.events..id', '$.eventsof.id', false],
    ['$.headers.*', '$.headers.x-request-id', true],
    ['$.headers.*', '$.headers.a.b', false],
    ['$.items[0]', '$.items[0]', true],
    ['$.items[0]', '$.items[1]', false],
  ])('%s at %s: %s', (pattern, path, expected) => expect(matcher(pattern)(path)).toBe(expected))
})
