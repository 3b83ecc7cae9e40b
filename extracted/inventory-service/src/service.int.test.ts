import { fromPg, installControl } from '@banyan/kit/ownership'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase } from '../../../tests/support/infra.ts'
import { releaseExpired } from './inventory/expiry.ts'
import { startTestInventory, type TestInventory } from './testing/inventory.ts'

let inventory: TestInventory
let product: number
let order = 100
beforeAll(async () => {
  inventory = await startTestInventory()
})
afterAll(() => inventory?.close())
beforeEach(async () => {
  await inventory.setOwner('service')
  product = await inventory.addProduct(`SRV-${++order}`, 10)
})

const lines = (quantity: number) => [{ productId: product, quantity }]
const stock = async () => {
  const { rows } = await inventory.db.raw('select available, reserved from stock where product_id = ?', [product])
  return [rows[0].available, rows[0].reserved]
}

describe('a service that owns inventory', () => {
  it('sells the last units once, however many buyers come at once', async () => {
    // Who hears that the database has no connection left asks again for the same order, as orders do.
    const buy = async (orderId: number) => {
      for (;;) {
        const answer = await inventory.internal('POST', '/internal/reservations', { orderId, lines: lines(1) })
        if (answer.body.code !== 'database-unavailable') return answer
      }
    }
    const answers = await Promise.all(Array.from({ length: 100 }, () => buy(++order)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(10)
    expect(answers.filter(({ body }) => body.code === 'out-of-stock')).toHaveLength(90)
    expect(await stock()).toEqual([0, 10])
  })

  it('reserves, confirms and releases, each as often as it is asked', async () => {
    const id = ++order
    const twice = async (method: string, path: string, body?: unknown) => {
      const [first, second] = [
        await inventory.internal(method, path, body),
        await inventory.internal(method, path, body),
      ]
      expect(second.body).toEqual(first.body)
      return first.body.status
    }
    expect(await twice('POST', '/internal/reservations', { orderId: id, lines: lines(4) })).toBe('held')
    expect(await twice('POST', `/internal/reservations/${id}/confirm`)).toBe('confirmed')
    expect(await stock()).toEqual([6, 0])
    expect(await twice('POST', `/internal/reservations/${id}/release`)).toBe('released')
    expect(await stock()).toEqual([10, 0])
  })

  it('numbers its events within its own term', async () => {
    const id = ++order
    await inventory.internal('POST', '/internal/reservations', { orderId: id, lines: lines(1) })
    const { rows } = await inventory.db.raw(
      `select e.term = o.term as own from banyan.outbox e, banyan.owner o
       where e.stream = ? and o.context = 'inventory'`,
      [`reservation-${id}`],
    )
    expect(rows).toEqual([{ own: true }])
  })

  it('lets reservations expire', async () => {
    const id = ++order
    await inventory.internal('POST', '/internal/reservations', { orderId: id, lines: lines(3), expiresInSeconds: 1 })
    expect(await stock()).toEqual([7, 3])
    await expect.poll(stock, { timeout: 10_000 }).toEqual([10, 0])
  })

  it('checks users’ tokens itself', async () => {
    const path = `/api/products/${product}`
    const change = async (token?: string) =>
      (await inventory.call('PATCH', path, { token, body: { priceCents: 5 } })).status
    expect(await change()).toBe(401)
    expect(await change('not.a.token')).toBe(401)
    expect(await change(await inventory.token('customer'))).toBe(403)
    expect(await change(await inventory.token('admin'))).toBe(200)
  })
})

describe('a service that does not own inventory', () => {
  it.each([
    ['monolith', 421, 'not-owner'],
    ['moving', 503, 'fenced'],
  ] as const)('answers reads and refuses writes while the owner is %s: %s', async (owner, status, reason) => {
    await inventory.setOwner(owner)
    const token = await inventory.token('admin')
    const path = `/api/products/${product}`
    const body = { sku: 'NEW-1', name: 'New', category: 'kitchen', priceCents: 1 }
    const answers = await Promise.all([
      inventory.call('POST', '/api/products', { token, body }),
      inventory.call('PATCH', path, { token, body: { priceCents: 1 } }),
      inventory.call('DELETE', path, { token }),
      inventory.call('POST', `${path}/stock-adjustments`, { token, body: { delta: 1, reason: 'found' } }),
      inventory.internal('POST', '/internal/reservations', { orderId: ++order, lines: lines(1) }),
      inventory.internal('POST', `/internal/reservations/${order}/confirm`),
      inventory.internal('POST', `/internal/reservations/${order}/release`),
    ])
    for (const answer of answers) {
      expect([answer.status, answer.headers.get('banyan-refused')]).toEqual([status, reason])
    }
    expect((await inventory.call('GET', path)).body).toMatchObject({ id: product, stock: { available: 10 } })
    expect((await inventory.internal('GET', `/internal/reservations/${order}`)).status).toBe(404)
  })

  it('lets nothing expire', async () => {
    await inventory.internal('POST', '/internal/reservations', { orderId: ++order, lines: lines(2) })
    await inventory.setOwner('monolith')
    await inventory.db.raw('update reservations set expires_at = now() where order_id = ?', [order])
    expect(await releaseExpired(inventory.db)).toBe(0)
    expect(await stock()).toEqual([8, 2])
  })
})

describe('the control database', () => {
  it('learns where the service is, and forgets it when the service stops', async () => {
    const control = await createTestDatabase()
    const client = new pg.Client({ connectionString: control.url })
    await client.connect()
    try {
      await installControl(fromPg(client))
      await client.query("insert into banyan.contexts (context) values ('inventory')")
      const registered = await startTestInventory({ env: { CONTROL_DATABASE_URL: control.url } })
      const urls = async () =>
        (await client.query("select url from banyan.instances where service = 'inventory-service'")).rows
      await expect.poll(urls, { timeout: 10_000 }).toEqual([{ url: registered.url }])
      // Held: the worker acknowledges, and what has run out stays until the hold is over.
      await registered.setOwner('service')
      const { rows } = await client.query(
        "update banyan.contexts set hold = true where context = 'inventory' returning epoch",
      )
      const acknowledged = async () =>
        (await client.query('select epoch_seen as epoch, drained from banyan.subscribers')).rows
      await expect.poll(acknowledged, { timeout: 10_000 }).toEqual([{ epoch: rows[0].epoch, drained: true }])
      await registered.close()
      expect(await urls()).toEqual([])
    } finally {
      await client.end()
      await control.drop()
    }
  })
})
