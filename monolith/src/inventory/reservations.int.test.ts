import type { Knex } from 'knex'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startTestShop, type TestShop } from '../testing/shop.ts'
import { releaseExpired } from './expiry.ts'
import { confirm, release, reserve } from './reservations.ts'

let shop: TestShop
let product: number
let other: number
let order = 1_000

beforeAll(async () => {
  shop = await startTestShop()
})
afterAll(() => shop?.close())
beforeEach(async () => {
  const { rows } = await shop.db.raw<{ rows: { id: number }[] }>('select id from products order by id limit 2')
  product = rows[0]?.id as number
  other = rows[1]?.id as number
  await shop.db.raw('truncate reservations')
  await shop.db.raw('update stock set available = 10, reserved = 0 where product_id in (?, ?)', [product, other])
})

const write = <T>(work: (trx: Knex.Transaction) => Promise<T>) => shop.db.transaction(work)
const take = (orderId: number, quantity = 1, expiresInSeconds = 60) =>
  write((trx) => reserve(trx, { orderId, lines: [{ productId: product, quantity }], expiresInSeconds }, 60))
const stock = async (id = product) => {
  const { rows } = await shop.db.raw('select available, reserved from stock where product_id = ?', [id])
  return [rows[0].available, rows[0].reserved]
}
const events = async (orderId: number) => {
  const { rows } = await shop.db.raw('select type from banyan.outbox where stream = ? order by id', [
    `reservation-${orderId}`,
  ])
  return rows.map((row: { type: string }) => row.type)
}

describe('reserving', () => {
  it('of 200 buyers at once the last ten units go to ten, and nothing is sold twice', async () => {
    // Who hears that the database has no connection left asks again for the same order, as orders do.
    const buy = async (orderId: number) => {
      for (;;) {
        const lines = [{ productId: product, quantity: 1 }]
        const answer = await shop.internal('POST', '/internal/reservations', { orderId, lines })
        if (answer.body.code !== 'database-unavailable') return answer
      }
    }
    const answers = await Promise.all(Array.from({ length: 200 }, (_, at) => buy(10_000 + at)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(10)
    const refused = answers.filter(({ status }) => status !== 200)
    expect(new Set(refused.map(({ status, body }) => `${status} ${body.code}`))).toEqual(new Set(['409 out-of-stock']))
    expect(refused[0]?.body.lines).toEqual([{ productId: product, requested: 1, available: 0 }])
    expect(await stock()).toEqual([0, 10])
  })

  it('buyers of the same two products in opposite orders do not wait for each other in a circle', async () => {
    await Promise.all(
      Array.from({ length: 10 }, (_, at) => {
        const lines = [
          { productId: product, quantity: 1 },
          { productId: other, quantity: 1 },
        ]
        return write((trx) => reserve(trx, { orderId: 20_000 + at, lines: at % 2 ? lines : lines.reverse() }, 60))
      }),
    )
    expect([await stock(product), await stock(other)]).toEqual([
      [0, 10],
      [0, 10],
    ])
  })

  it('takes all lines or none', async () => {
    const lines = [
      { productId: product, quantity: 1 },
      { productId: other, quantity: 11 },
    ]
    await expect(write((trx) => reserve(trx, { orderId: ++order, lines }, 60))).rejects.toMatchObject({
      code: 'out-of-stock',
      members: { lines: [{ productId: other, requested: 11, available: 10 }] },
    })
    expect(await stock()).toEqual([10, 0])
  })

  it('refuses before it writes: the transaction goes on, and commits what else it has', async () => {
    const id = ++order
    await write(async (trx) => {
      const lines = [{ productId: product, quantity: 11 }]
      await expect(reserve(trx, { orderId: id, lines }, 60)).rejects.toMatchObject({ code: 'out-of-stock' })
      await reserve(trx, { orderId: id, lines: [{ productId: product, quantity: 2 }] }, 60)
    })
    expect(await stock()).toEqual([8, 2])
  })

  it('refuses a product that does not exist, by its id', async () => {
    const lines = [{ productId: 987_654_321, quantity: 1 }]
    await expect(write((trx) => reserve(trx, { orderId: ++order, lines }, 60))).rejects.toMatchObject({
      status: 422,
      code: 'unknown-product',
      members: { productIds: [987_654_321] },
    })
  })

  it('is the same reservation however often the same order asks, even twenty times at once', async () => {
    const id = ++order
    const all = await Promise.all(Array.from({ length: 20 }, () => take(id, 3)))
    expect(new Set(all.map((one) => JSON.stringify(one))).size).toBe(1)
    expect(await stock()).toEqual([7, 3])
    expect(await events(id)).toEqual(['StockReserved'])
  })

  it('refuses other lines for the same order', async () => {
    const id = ++order
    await take(id, 3)
    await expect(take(id, 4)).rejects.toMatchObject({ status: 409, code: 'reservation-differs' })
    expect(await stock()).toEqual([7, 3])
  })
})

describe('confirming and releasing', () => {
  const steps = {
    reserve: (id: number) => take(id, 4),
    confirm: (id: number) => write((trx) => confirm(trx, id)),
    release: (id: number) => write((trx) => release(trx, id)),
  }
  // Each order of steps, every one sent twice as a retry would: where the stock ends, and what the last step says.
  const stories: [('reserve' | 'confirm' | 'release')[], [number, number], string][] = [
    [['reserve'], [6, 4], 'held'],
    [['reserve', 'confirm'], [6, 0], 'confirmed'],
    [['reserve', 'release'], [10, 0], 'released'],
    [['reserve', 'confirm', 'release'], [10, 0], 'released'],
    [['reserve', 'release', 'confirm'], [10, 0], 'reservation-ended'],
    [['reserve', 'confirm', 'reserve'], [6, 0], 'confirmed'],
    [['reserve', 'release', 'reserve'], [10, 0], 'reservation-ended'],
    [['release'], [10, 0], 'released'],
    [['release', 'reserve'], [10, 0], 'reservation-ended'],
    [['release', 'confirm'], [10, 0], 'reservation-ended'],
    [['confirm'], [10, 0], 'reservation-not-found'],
    [['confirm', 'reserve', 'confirm'], [6, 0], 'confirmed'],
  ]
  it.each(stories)('%s leaves the stock at %s: %s', async (names, left, last) => {
    const id = ++order
    let outcome = ''
    for (const name of names) {
      for (const _ of [1, 2]) {
        outcome = await steps[name](id).then(
          (reservation) => reservation.status,
          (error) => error.code,
        )
      }
    }
    expect([await stock(), outcome]).toEqual([left, last])
  })

  it('a release that arrives while its reserve is under way wins, or comes after it; nothing stays taken', async () => {
    for (let round = 0; round < 20; round++) {
      const id = ++order
      await Promise.allSettled([steps.reserve(id), steps.release(id)])
      await steps.release(id)
      expect(await stock()).toEqual([10, 0])
    }
  })

  it('a reserve that waits for the tombstone of its own release is refused, and takes nothing', async () => {
    const id = ++order
    const releasing = await shop.db.transaction()
    await release(releasing, id)
    const reserving = steps.reserve(id).catch((error) => error.code)
    const waiting = async () => {
      const { rows } = await shop.db.raw(
        `select count(*) as n from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock' and query like '%insert into reservations%'`,
      )
      return rows[0].n
    }
    await expect.poll(waiting, { timeout: 10_000 }).toBe(1)
    await releasing.commit()
    expect(await reserving).toBe('reservation-ended')
    expect(await stock()).toEqual([10, 0])
  })

  it('a product that is being reserved at that very moment is not deleted', async () => {
    const { rows } = await shop.db.raw<{ rows: { id: number }[] }>(
      `with product as (insert into products (sku, name, category_id, price_cents)
         select 'BEING-RESERVED', 'Being reserved', min(id), 100 from categories returning id)
       insert into stock (product_id, available) select id, 1 from product returning product_id as id`,
    )
    const [{ id } = { id: 0 }] = rows
    const reserving = await shop.db.transaction()
    await reserve(reserving, { orderId: ++order, lines: [{ productId: id, quantity: 1 }] }, 60)
    const deleting = shop.call('DELETE', `/api/products/${id}`, { token: await shop.adminToken() })
    const waiting = async () => {
      const { rows } = await shop.db.raw(
        `select count(*) as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      return rows[0].n
    }
    await expect.poll(waiting, { timeout: 10_000 }).toBe(1)
    await reserving.commit()
    expect(await deleting).toMatchObject({ status: 409, body: { code: 'product-in-use' } })
    expect(await stock(id)).toEqual([0, 1])
  })

  it('stock given back is told once', async () => {
    const id = ++order
    await steps.reserve(id)
    await steps.release(id)
    await steps.release(id)
    expect(await events(id)).toEqual(['StockReserved', 'StockReleased'])
  })
})

describe('expiry', () => {
  const runOut = (id: number) =>
    shop.db.raw("update reservations set expires_at = now() - interval '1 second' where order_id = ?", [id])

  it('gives the stock of a held reservation back, and never of a confirmed one', async () => {
    const [held, sold] = [++order, ++order]
    await take(held, 2)
    await take(sold, 3)
    await write((trx) => confirm(trx, sold))
    await runOut(held)
    await runOut(sold)
    await expect.poll(() => stock(), { timeout: 10_000 }).toEqual([7, 0])
    // Whatever else there were to take: what is sold must not be sold again.
    expect(await releaseExpired(shop.db)).toBe(0)
    expect(await stock()).toEqual([7, 0])
    const { body } = await shop.internal('GET', `/internal/reservations/${held}`)
    expect(body.status).toBe('expired')
    expect(await events(held)).toEqual(['StockReserved', 'StockReleased'])
    await expect(take(held, 2)).rejects.toMatchObject({ code: 'reservation-ended' })
  })

  it('leaves everything alone while the other side owns inventory', async () => {
    const id = ++order
    await take(id, 2)
    await shop.db.raw("update banyan.owner set owner = 'service' where context = 'inventory'")
    try {
      await runOut(id)
      expect(await releaseExpired(shop.db)).toBe(0)
      expect(await stock()).toEqual([8, 2])
    } finally {
      await shop.db.raw("update banyan.owner set owner = 'monolith' where context = 'inventory'")
    }
    await expect.poll(() => stock(), { timeout: 10_000 }).toEqual([10, 0])
  })
})
