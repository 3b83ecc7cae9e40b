import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { up as fillShelves } from '../../../migrations/shop/schema/shop/004_catalogue.ts'
import { startTestShop, type TestShop } from '../testing/shop.ts'

let shop: TestShop
let admin: string
beforeAll(async () => {
  shop = await startTestShop()
  admin = await shop.adminToken()
})
afterAll(() => shop?.close())

const count = async (sql: string) => Number((await shop.db.raw(sql)).rows[0].n)
let made = 0
const create = async (fields: object = {}) =>
  shop.call('POST', '/api/products', {
    token: admin,
    body: {
      sku: `TST-${++made}`,
      name: 'Test Kettle',
      category: 'kitchen',
      priceCents: 1_999,
      available: 5,
      ...fields,
    },
  })

describe('the catalogue', () => {
  it('has at least 1,000 products on at least 12 shelves, no two of one name', async () => {
    expect(await count('select count(*) as n from products')).toBeGreaterThanOrEqual(1_000)
    expect(await count('select count(*) as n from categories')).toBeGreaterThanOrEqual(12)
    expect(await count('select count(*) - count(distinct name) as n from products')).toBe(0)
    expect(
      await count('select count(*) as n from products p left join stock s on s.product_id = p.id where s is null'),
    ).toBe(0)
  })

  it('stays as it is when the shelves are filled again', async () => {
    const before = await count('select count(*) + sum(price_cents) as n from products')
    await shop.db.transaction((trx) => fillShelves(trx))
    expect(await count('select count(*) + sum(price_cents) as n from products')).toBe(before)
  })

  it('finds by word, by stem and by SKU', async () => {
    const found = async (q: string) => (await shop.call('GET', `/api/products?q=${encodeURIComponent(q)}`)).body
    expect((await found('kettle')).items[0].name).toMatch(/kettle/i)
    expect((await found('kettles')).total).toBe((await found('kettle')).total)
    expect((await found('gar-0001')).items.map((item: { sku: string }) => item.sku)).toContain('GAR-0001')
    expect(await found('zeppelin')).toMatchObject({ items: [], total: 0 })
    expect((await found(`'; drop table products; --`)).items).toEqual([])
  })

  it('gives every product on exactly one page, in the order asked for', async () => {
    const seen: { id: number; priceCents: number }[] = []
    for (let page = 1; page <= 4; page++) {
      const { body } = await shop.call('GET', `/api/products?category=garden&sort=-price&page=${page}&size=20`)
      expect(body).toMatchObject({ page, size: 20, total: 80 })
      seen.push(...body.items)
    }
    expect(new Set(seen.map(({ id }) => id)).size).toBe(80)
    const beyond = await shop.call('GET', '/api/products?category=garden&page=9')
    expect(beyond.body).toEqual({ items: [], page: 9, size: 20, total: 80 })
    expect(seen.map(({ priceCents }) => priceCents)).toEqual(
      seen.map(({ priceCents }) => priceCents).sort((a, b) => b - a),
    )
  })

  it.each(['page=0', 'size=101', 'size=x', 'sort=best', 'colour=red', 'category=No%20Slug', `q=${'x'.repeat(201)}`])(
    'refuses ?%s',
    async (query) => {
      const answer = await shop.call('GET', `/api/products?${query}`)
      expect(answer).toMatchObject({ status: 422, body: { code: 'invalid-request' } })
    },
  )

  it('answers 304 to who has the product as it is, and 200 again once it changed', async () => {
    const { body: product } = await create()
    const path = `/api/products/${product.id}`
    const etag = (await shop.call('GET', path)).headers.get('etag') as string
    // Left to itself, fetch asks caches for no stored answer as soon as it sees the condition.
    const headers = { 'if-none-match': etag, 'cache-control': 'max-age=0' }
    expect((await shop.call('GET', path, { headers })).status).toBe(304)
    const adjusted = await shop.call('POST', `${path}/stock-adjustments`, {
      token: admin,
      body: { delta: 1, reason: 'found' },
    })
    expect(adjusted.body.stock).toEqual({ available: 6 })
    expect((await shop.call('GET', path, { headers })).status).toBe(200)
  })
})

describe('administration', () => {
  it('is for administrators', async () => {
    const { token } = await shop.customer()
    const body = { sku: 'NO-1', name: 'No', category: 'kitchen', priceCents: 1 }
    expect((await shop.call('POST', '/api/products', { body })).status).toBe(401)
    expect((await shop.call('POST', '/api/products', { token, body })).status).toBe(403)
  })

  it('creates, changes and deletes, and tells of each in order', async () => {
    const created = await create()
    expect(created.status).toBe(201)
    const path = `/api/products/${created.body.id}`
    expect(created.headers.get('location')).toBe(path)
    const patched = await shop.call('PATCH', path, { token: admin, body: { priceCents: 2_500, category: 'garden' } })
    expect(patched.body).toMatchObject({ priceCents: 2_500, category: { slug: 'garden' }, name: 'Test Kettle' })
    expect((await shop.call('DELETE', path, { token: admin })).status).toBe(204)
    expect((await shop.call('GET', path)).body.code).toBe('product-not-found')
    const { rows } = await shop.db.raw('select type, payload from banyan.outbox where stream = ? order by id', [
      `product-${created.body.id}`,
    ])
    expect(rows.map((row: { type: string; payload: { change?: string } }) => [row.type, row.payload.change])).toEqual([
      ['ProductChanged', 'created'],
      ['ProductChanged', 'updated'],
      ['ProductDeleted', undefined],
    ])
  })

  it('one SKU, one product', async () => {
    const { body: first } = await create()
    expect(await create({ sku: first.sku })).toMatchObject({ status: 409, body: { code: 'sku-taken' } })
    const { body: second } = await create()
    const patched = await shop.call('PATCH', `/api/products/${second.id}`, { token: admin, body: { sku: first.sku } })
    expect(patched).toMatchObject({ status: 409, body: { code: 'sku-taken' } })
  })

  it('takes no more stock away than there is, however many try at once', async () => {
    const { body: product } = await create({ available: 5 })
    const answers = await Promise.all(
      Array.from({ length: 12 }, () =>
        shop.call('POST', `/api/products/${product.id}/stock-adjustments`, {
          token: admin,
          body: { delta: -1, reason: 'broken' },
        }),
      ),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(5)
    expect(answers.filter(({ body }) => body.code === 'stock-below-zero')).toHaveLength(7)
  })

  it('has a billion units of a product at most, those that orders hold among them, so that what they bring back fits', async () => {
    const { body: product } = await create({ available: 1_000_000 })
    const lines = [{ productId: product.id, quantity: 100_000 }]
    await shop.internal('POST', '/internal/reservations', { orderId: 4_712, lines })
    // As 999 deliveries of a million would leave it.
    await shop
      .db('stock')
      .where({ product_id: product.id })
      .increment('available', 999_000_000 - 1)
    const adjust = (delta: number) =>
      shop.call('POST', `/api/products/${product.id}/stock-adjustments`, { token: admin, body: { delta, reason: 'x' } })
    expect(await adjust(2)).toMatchObject({ status: 409, body: { code: 'stock-above-limit' } })
    expect(await adjust(1_000_000)).toMatchObject({ status: 409, body: { code: 'stock-above-limit' } })
    expect((await shop.call('GET', `/api/products/${product.id}`)).body.stock.available).toBe(999_899_999)
    const told = await shop.db('banyan.outbox').where({ stream: `product-${product.id}` })
    expect(told).toHaveLength(1)
    expect((await adjust(1)).body.stock.available).toBe(999_900_000)
    await shop.internal('POST', '/internal/reservations/4712/release')
    expect((await adjust(-1)).body.stock.available).toBe(999_999_999)
    // The columns' own end is where arithmetic fails; what is above the limit already can still be taken away.
    await shop.db('stock').where({ product_id: product.id }).update({ available: 2_147_483_647 })
    expect(await adjust(1)).toMatchObject({ status: 409, body: { code: 'stock-above-limit' } })
    expect((await adjust(-1)).body.stock.available).toBe(2_147_483_646)
  })

  it('keeps a product that has been ordered', async () => {
    const { body: product } = await create()
    const lines = [{ productId: product.id, quantity: 1 }]
    expect((await shop.internal('POST', '/internal/reservations', { orderId: 4_711, lines })).status).toBe(200)
    const answer = await shop.call('DELETE', `/api/products/${product.id}`, { token: admin })
    expect(answer).toMatchObject({ status: 409, body: { code: 'product-in-use' } })
  })

  it('keeps a product that stands in an order of which nothing is reserved', async () => {
    const { body: product } = await create()
    await shop.db.raw(
      `with placed as (insert into orders
           (user_id, idempotency_key, request_hash, status, total_cents, customer, shipping_address)
         values (1, 'of-old', '', 'cancelled', 1, '{}', '{}') returning id)
       insert into order_items (order_id, product_id, name, price_cents, quantity) select id, ?, '', 1, 1 from placed`,
      [product.id],
    )
    const answer = await shop.call('DELETE', `/api/products/${product.id}`, { token: admin })
    expect(answer).toMatchObject({ status: 409, body: { code: 'product-in-use' } })
    expect((await shop.call('GET', `/api/products/${product.id}`)).status).toBe(200)
  })

  it('refuses an unknown category and what is out of range', async () => {
    expect(await create({ category: 'spaceships' })).toMatchObject({ status: 422, body: { code: 'unknown-category' } })
    for (const wrong of [{ priceCents: -1 }, { priceCents: 1.5 }, { name: '' }, { sku: 'lower' }, { colour: 'red' }]) {
      expect((await create(wrong)).body.code).toBe('invalid-request')
    }
  })
})

describe('the internal routes', () => {
  it('are closed without a service’s token, and to a user’s', async () => {
    const body = { ids: [1] }
    expect((await shop.call('POST', '/internal/products/lookup', { body })).status).toBe(401)
    expect((await shop.call('POST', '/internal/products/lookup', { body, token: admin })).status).toBe(401)
    expect((await shop.internal('POST', '/internal/products/lookup', body)).status).toBe(200)
  })

  it('look products up by id and leave out the unknown', async () => {
    const { body: product } = await create()
    const { body } = await shop.internal('POST', '/internal/products/lookup', { ids: [product.id, 999_999_999] })
    expect(body).toEqual({
      items: [{ id: product.id, sku: product.sku, name: 'Test Kettle', priceCents: 1_999, available: 5 }],
    })
  })
})

describe('a shop that does not own inventory', () => {
  it('refuses each write with 421, and with 503 while it moves; reads go on', async () => {
    const { body: product } = await create()
    const path = `/api/products/${product.id}`
    const lines = [{ productId: product.id, quantity: 1 }]
    const writes = () => [
      create(),
      shop.call('PATCH', path, { token: admin, body: { priceCents: 1 } }),
      shop.call('DELETE', path, { token: admin }),
      shop.call('POST', `${path}/stock-adjustments`, { token: admin, body: { delta: 1, reason: 'found' } }),
      shop.internal('POST', '/internal/reservations', { orderId: 81, lines }),
      shop.internal('POST', '/internal/reservations/81/confirm'),
      shop.internal('POST', '/internal/reservations/81/release'),
    ]
    try {
      for (const [owner, status, reason] of [
        ['service', 421, 'not-owner'],
        ['moving', 503, 'fenced'],
      ] as const) {
        await shop.db.raw("update banyan.owner set owner = ? where context = 'inventory'", [owner])
        for (const answer of await Promise.all(writes())) {
          expect([answer.status, answer.headers.get('banyan-refused')]).toEqual([status, reason])
        }
        expect((await shop.call('GET', path)).body).toEqual(product)
      }
    } finally {
      await shop.db.raw("update banyan.owner set owner = 'monolith' where context = 'inventory'")
    }
    expect((await shop.internal('GET', '/internal/reservations/81')).status).toBe(404)
  })

  it('what only the fence refuses is refused alike', async () => {
    const { body: product } = await create()
    await shop.db.raw(`create function reject() returns trigger language plpgsql as $$ begin
      raise exception 'fenced' using errcode = 'BN001', detail = 'context=inventory owner=moving'; end $$`)
    await shop.db.raw('create trigger reject before update on stock for each row execute function reject()')
    try {
      const answer = await shop.internal('POST', '/internal/reservations', {
        orderId: 82,
        lines: [{ productId: product.id, quantity: 1 }],
      })
      expect([answer.status, answer.headers.get('banyan-refused'), answer.headers.get('retry-after')]).toEqual([
        503,
        'fenced',
        '1',
      ])
    } finally {
      await shop.db.raw('drop trigger reject on stock')
    }
  })
})
