import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { World } from '../suite.ts'

const READS = ['listCategories', 'listProducts', 'getProduct']
const WRITES = ['createProduct', 'updateProduct', 'deleteProduct', 'adjustStock']

// 421 and 503 are the tests of ownership's; only the internal routes can order a product.
const ELSEWHERE = ['421', '503', 'deleteProduct 409']

/** The catalogue: a product from its creation to its end. */
export function inventoryContract(world: () => World): void {
  describe('inventory', () => {
    const sku = `CTR-${randomBytes(6).toString('hex').toUpperCase()}`
    let category = ''
    let id = 0

    it('lists categories', async () => {
      const { client } = world()
      const { body } = await client.call('listCategories')
      category = body.items[0].slug
      expect((await client.call('listCategories', { query: { size: 1 } })).body.items).toHaveLength(1)
      expect((await client.call('listCategories', { query: { size: 0 } })).status).toBe(422)
      expect((await client.call('listCategories', { query: { colour: 'red' } })).status).toBe(422)
    })

    it('adds a product', async () => {
      const { client, adminToken: token } = world()
      const body = { sku, name: 'Contract Teapot', category, priceCents: 2_450, available: 3 }
      const created = await client.call('createProduct', { token, body })
      expect(created).toMatchObject({ status: 201, body: { sku, priceCents: 2_450, stock: { available: 3 } } })
      id = created.body.id
      expect((await client.call('createProduct', { token, body })).body.code).toBe('sku-taken')
      const elsewhere = { ...body, sku: `${sku}-2`, category: 'no-such-shelf' }
      expect((await client.call('createProduct', { token, body: elsewhere })).body.code).toBe('unknown-category')
    })

    it.each([
      ['nothing', {}],
      ['a price with a fraction', { sku: 'A-1', name: 'A', category: 'x', priceCents: 1.5 }],
      ['a price below zero', { sku: 'A-1', name: 'A', category: 'x', priceCents: -1 }],
      ['a SKU in small letters', { sku: 'a-1', name: 'A', category: 'x', priceCents: 1 }],
      ['a NUL in its name', { sku: 'A-1', name: 'A\0', category: 'x', priceCents: 1 }],
      ['a field nobody knows', { sku: 'A-1', name: 'A', category: 'x', priceCents: 1, colour: 'red' }],
    ])('refuses a product with %s', async (_, body) => {
      const { client, adminToken: token } = world()
      expect((await client.call('createProduct', { token, body })).body.code).toBe('invalid-request')
    })

    it('finds it, by word, by SKU and by shelf', async () => {
      const { client } = world()
      const found = async (query: Record<string, string | number>) =>
        (await client.call('listProducts', { query })).body.items.map((item: { id: number }) => item.id)
      expect(await found({ q: sku })).toEqual([id])
      expect(await found({ q: 'contract teapots', category, sort: 'newest' })).toContain(id)
      expect(await found({ q: 'zzzzqqqq' })).toEqual([])
      for (const sort of ['relevance', 'name', 'price', '-price', 'newest']) {
        expect((await client.call('listProducts', { query: { sort, size: 2 } })).status).toBe(200)
      }
    })

    it.each<Record<string, string | number>>([
      { page: 0 },
      { size: 101 },
      { size: 'many' },
      { sort: 'best' },
      { category: 'No Slug' },
      { x: 1 },
    ])('refuses to list by %j', async (query) => {
      expect((await world().client.call('listProducts', { query })).body.code).toBe('invalid-request')
    })

    it('shows it, and says by its ETag that nothing has changed', async () => {
      const { client } = world()
      const calls: [string, { path?: { id: number } }][] = [
        ['getProduct', { path: { id } }],
        ['listProducts', {}],
        ['listCategories', {}],
      ]
      for (const [operation, input] of calls) {
        const etag = (await client.call(operation, input)).headers.get('etag') as string
        // Left to itself, fetch forbids caches to answer as soon as it sees the condition.
        const headers = { 'if-none-match': etag, 'cache-control': 'max-age=0' }
        expect((await client.call(operation, { ...input, headers })).status).toBe(304)
      }
      expect((await client.call('getProduct', { path: { id: 2 ** 52 } })).body.code).toBe('product-not-found')
      expect((await client.call('getProduct', { path: { id: 'first' } })).status).toBe(422)
    })

    it('changes it', async () => {
      const { client, adminToken: token } = world()
      const change = (body: unknown, path: { id: number | string } = { id }) =>
        client.call('updateProduct', { token, path, body })
      expect((await change({ priceCents: 1_999 })).body.priceCents).toBe(1_999)
      expect((await change({ category: 'no-such-shelf' })).body.code).toBe('unknown-category')
      expect((await change({})).body.code).toBe('invalid-request')
      expect((await change({ priceCents: 1 }, { id: 2 ** 52 })).body.code).toBe('product-not-found')
      const other = { sku: `${sku}-3`, name: 'Other', category, priceCents: 1 }
      const { body } = await client.call('createProduct', { token, body: other })
      expect((await change({ sku }, { id: body.id })).body.code).toBe('sku-taken')
      await client.call('deleteProduct', { token, path: { id: body.id } })
    })

    it('adjusts its stock, never below zero', async () => {
      const { client, adminToken: token } = world()
      const adjust = (body: unknown, path: { id: number | string } = { id }) =>
        client.call('adjustStock', { token, path, body })
      expect((await adjust({ delta: 2, reason: 'delivery' })).body.stock.available).toBe(5)
      expect((await adjust({ delta: -6, reason: 'broken' })).body.code).toBe('stock-below-zero')
      expect((await adjust({ delta: 0, reason: 'none' })).body.code).toBe('invalid-request')
      expect((await adjust({ delta: 1, reason: 'x' }, { id: 2 ** 52 })).body.code).toBe('product-not-found')
    })

    it.each(WRITES)('%s is for administrators', async (operation) => {
      const { client, customerToken } = world()
      const path = { id }
      expect((await client.call(operation, { path })).body.code).toBe('authentication-required')
      expect((await client.call(operation, { path, token: 'not.a.token' })).body.code).toBe('invalid-token')
      expect((await client.call(operation, { path, token: customerToken })).body.code).toBe('forbidden')
    })

    it.each(['createProduct', 'updateProduct', 'adjustStock'])(
      '%s refuses what is no JSON, or too much',
      async (operation) => {
        const { client, adminToken: token } = world()
        const path = { id }
        expect((await client.call(operation, { path, token, body: '{' })).body.code).toBe('malformed-json')
        const large = JSON.stringify({ name: 'x'.repeat(200_000) })
        expect((await client.call(operation, { path, token, body: large })).body.code).toBe('body-too-large')
      },
    )

    it('deletes it', async () => {
      const { client, adminToken: token } = world()
      expect((await client.call('deleteProduct', { token, path: { id: 'first' } })).status).toBe(422)
      expect((await client.call('deleteProduct', { token, path: { id } })).status).toBe(204)
      expect((await client.call('deleteProduct', { token, path: { id } })).body.code).toBe('product-not-found')
    })

    it('has given every documented answer', () => {
      expect(world().client.unseen([...READS, ...WRITES], ELSEWHERE)).toEqual([])
    })
  })
}
