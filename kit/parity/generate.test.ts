import { describe, expect, it } from 'vitest'
import type { Operation } from './contract.ts'
import { drawSequences, redraw, sequenceArbitrary, shrink } from './generate.ts'
import { createOperations } from './operations.ts'
import { render } from './step.ts'

const contract: Operation[] = [
  {
    ...{ operationId: 'add', method: 'POST', path: '/items', security: ['user'], succeeds: true },
    parameters: [{ name: 'X-Key', in: 'header', required: true, schema: { type: 'string', maxLength: 3 } }],
    body: {
      type: 'object',
      required: ['name', 'price'],
      properties: {
        name: { type: 'string', minLength: 1, maxLength: 10, pattern: '^[a-z]+$' },
        word: { type: 'string', minLength: 8, maxLength: 200 },
        price: { type: 'integer', minimum: 0, maximum: 100 },
        tags: { type: 'array', minItems: 1, maxItems: 40, items: { type: 'string', enum: ['a', 'b'] } },
        ids: { type: 'array', maxItems: 20, items: { type: 'integer' } },
        pair: { type: 'array', minItems: 3, maxItems: 30, items: { type: 'integer' } },
      },
    },
  },
  {
    ...{ operationId: 'get', method: 'GET', path: '/items/{id}', security: [], succeeds: true },
    parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'integer', minimum: 1 } }],
  },
]
const settings = {
  contract: '',
  identities: { user: ['admin', 'customer'] },
  minimum: 1,
  generate: {
    values: { ids: [7, '{{item|1}}'], 'add.X-Key': ['k1', '{{unique}}'] },
    references: { item: { from: 'add', at: '$.body.id', fields: ['get.id'], fallback: 1, also: [999] } },
  },
  rules: [],
}
const arbitrary = sequenceArbitrary(contract, settings)

describe('generated requests', () => {
  it('are the same for the same seed, and others for another', () => {
    expect(drawSequences(arbitrary, 7, 200)).toEqual(drawSequences(arbitrary, 7, 200))
    expect(drawSequences(arbitrary, 7, 200)).not.toEqual(drawSequences(arbitrary, 8, 200))
  })

  it('are valid, on the border and beyond it, by several people, and refer to what was made', () => {
    const steps = drawSequences(arbitrary, 1, 1_000).flatMap((sequence) => sequence.steps)
    const bodies = steps.flatMap(({ body }) => (typeof body === 'object' && body !== null ? [body] : []))
    const prices = bodies.map((body) => (body as { price?: unknown }).price)
    expect(prices).toEqual(expect.arrayContaining([0, 100, -1, 101, undefined, '1']))
    expect(steps.map(({ raw }) => raw)).toContain('{')
    expect(new Set(steps.filter(({ name }) => name === 'add').map(({ as }) => as))).toEqual(
      new Set(['admin', 'customer', undefined]),
    )
    expect(steps.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['/items/{{item|1}}', '/items/999', '/items/0']),
    )
    expect(steps.find(({ name }) => name === 'add')?.capture).toEqual({ item: '$.body.id' })
  })

  it('hold lists as long as they may be, and one longer, as short as they may be, and one shorter, of known values as well', () => {
    const steps = drawSequences(arbitrary, 1, 1_000).flatMap((sequence) => sequence.steps)
    const lengths = (name: string) =>
      new Set(
        steps.flatMap(({ body }) => {
          const list = (body as Record<string, unknown> | null | undefined)?.[name]
          return Array.isArray(list) ? [list.length] : []
        }),
      )
    expect(lengths('tags')).toEqual(new Set([0, 1, 2, 3, 4, 40, 41]))
    expect(lengths('ids')).toEqual(new Set([0, 1, 2, 3, 4, 20, 21]))
    expect([...lengths('pair')]).toEqual(expect.arrayContaining([2, 3, 30, 31]))
  })

  it('hold texts as short and as long as they may be, and one shorter and longer', () => {
    const bodies = drawSequences(arbitrary, 1, 1_000).flatMap(({ steps }) => steps.map(({ body }) => body))
    const words = bodies.map((body) => (body as { word?: unknown } | null | undefined)?.word)
    const lengths = words.flatMap((word) => (typeof word === 'string' ? [word.length] : []))
    expect(lengths).toEqual(expect.arrayContaining([7, 8, 200, 201]))
  })

  it('carry headers, as far as HTTP can', () => {
    const steps = drawSequences(arbitrary, 1, 1_000).flatMap((sequence) => sequence.steps)
    const keys = new Set(steps.flatMap(({ headers }) => (headers ? [headers['X-Key']] : [])))
    expect([...keys]).toEqual(expect.arrayContaining(['k1', '{{unique}}', 'xxxx']))
    for (const key of keys) expect(() => new Headers({ key: key ?? '' })).not.toThrow()
  })

  it('shrink to the shortest sequence that still differs, found again by seed and number', async () => {
    const isBug = (steps: readonly { body?: unknown }[]) =>
      steps.some(({ body }) => ((body as { price?: number } | null | undefined)?.price ?? 0) > 7)
    const sequences = drawSequences(arbitrary, 3, 500)
    const whole = sequences.find(({ steps }) => isBug(steps) && steps.length > 3)!
    const seen: unknown[] = []
    const shortest = await shrink(arbitrary, { seed: 3, name: whole.name, tries: 300 }, async (steps) => {
      seen.push(steps)
      return isBug(steps)
    })
    expect(seen[0]).toEqual(whole.steps)
    expect(shortest!.steps).toHaveLength(1)
    expect(await shrink(arbitrary, { seed: 3, name: whole.name, tries: 20 }, async () => false)).toBeUndefined()
    // What a report's command asks for.
    expect(redraw(arbitrary, 3, shortest!.name)).toEqual(shortest)
    expect(redraw(arbitrary, 3, whole.name)).toEqual(whole)
    expect(redraw(arbitrary, 3, 'a scenario')).toBeUndefined()
  })
})

describe('a step', () => {
  it('takes what was captured with its type, and a fallback where nothing was', () => {
    const step = {
      method: 'post',
      path: '/items/{{a}}',
      query: { q: 'x{{a}}', n: [1, 2] },
      body: { a: '{{a}}', b: '{{b|7}}' },
    }
    expect(render(step, new Map<string, unknown>([['a', 5]]))).toEqual({
      ...{ as: undefined, method: 'POST', path: '/items/5?q=x5&n=1&n=2', body: '{"a":5,"b":7}' },
      headers: { 'content-type': 'application/json' },
    })
  })

  it('belongs to the operation that its method and path name', () => {
    const { nameOf } = createOperations(contract)
    expect(nameOf('get', '/items/5?x=1')).toBe('get')
    expect(nameOf('DELETE', '/items/5')).toBe('DELETE /items/:id')
  })
})
