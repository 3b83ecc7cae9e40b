import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { orderBody } from '../../../monolith/src/testing/order.ts'
import { type ShopProcess, startShopProcess } from '../../../monolith/src/testing/process.ts'
import { reconcile } from '../../../monolith/src/testing/reconcile.ts'
import { crashDatabaseServer } from '../../../tests/support/infra.ts'
import { startTestOrders, type TestOrders } from './testing/orders.ts'

// Orders are placed through processes that die, or whose callees, connections or databases do, at every boundary of
// every step: each saga ends COMPLETED or COMPENSATED, and stock, payments and the provider's ledger add up to the cent.

const MAIN = join(import.meta.dirname, 'main.ts')
const SIDES = ['before', 'after'] as const
const CALLS = {
  reserve: /^\/internal\/reservations$/,
  charge: /^\/internal\/charges$/,
  sell: /\/confirm$/,
  refund: /^\/internal\/charges\/\d+\/cancel$/,
  restock: /\/release$/,
}

/** What an order calls that turns back with its money taken. */
const CALLS_BACK = ['refund', 'restock'] as const

type Keeper = TestOrders['door']['keeper']

let orders: TestOrders
let customer: Awaited<ReturnType<TestOrders['shop']['customer']>>
let env: Record<string, string>

beforeAll(async () => {
  orders = await startTestOrders()
  customer = await orders.shop.customer()
  env = {
    ...orders.env,
    DATABASE_URL: orders.service.databaseUrl,
    JWT_ISSUER: orders.shop.config.JWT_ISSUER,
  }
})
afterAll(() => orders?.close())
beforeEach(() => orders.shop.db('stock').where({ product_id: 1 }).update({ available: 1_000 }))
afterEach(() => {
  orders.door.keeper = ({ pass }) => pass()
  orders.door.to = orders.shop.url
})

const post = (url: string, path: string, key: string, body: object = {}) =>
  fetch(url + path, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${customer.token}`,
      'content-type': 'application/json',
      'idempotency-key': key,
    },
    body: JSON.stringify(body),
  })
const place = (url: string, key: string, paymentToken = 'tok_visa') =>
  post(url, '/api/orders', key, orderBody({ paymentToken }))
/** Asks until there is an answer about the order, whatever dies of it. @returns its number, and how it stands */
const begun = async (url: string, key: string, paymentToken?: string): Promise<{ id: number; status: number }> => {
  const end = Date.now() + 60_000
  for (;;) {
    const answer = await place(url, key, paymentToken).catch(() => undefined)
    const body = (await answer?.json().catch(() => undefined)) as { id?: number; orderId?: number } | undefined
    const id = body?.id ?? body?.orderId
    if (answer && id !== undefined && answer.status !== 202) return { id, status: answer.status }
    if (Date.now() > end) throw new Error(`no end of ${key}: ${answer?.status} ${JSON.stringify(body)}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
const open = () => orders.service.db('sagas').whereNotIn('status', ['COMPLETED', 'COMPENSATED']).select('id', 'status')

/** Every saga has ended well, and the books of three contexts and the provider agree. */
const endsWell = async () => {
  await expect.poll(open, { timeout: 60_000, interval: 100 }).toEqual([])
  expect(await orders.service.db('orders').whereIn('status', ['pending', 'cancelling'])).toEqual([])
  await reconcile(orders.shop.db, orders.sandbox, orders.shop.db, orders.service.db)
}

/** In the way of the next call of the pattern, and of no other. */
const once = (pattern: RegExp, keeper: Keeper): Keeper => {
  let armed = true
  return async (call) => {
    if (!armed || !pattern.test(call.path)) return call.pass()
    armed = false
    return keeper(call)
  }
}

/** The reservation is gone when the order would be sold: the saga turns back with its money taken. */
const sellTooLate =
  (keeper: Keeper = ({ pass }) => pass()): Keeper =>
  async (call) => {
    const id = /\/internal\/reservations\/(\d+)\/confirm/.exec(call.path)?.[1]
    if (id) await orders.door.send('POST', `/internal/reservations/${id}/release`)
    return keeper(call)
  }

/** Places an order, or cancels one, for each call to another context, with such a keeper in its way. */
const atEveryCall = async (name: string, keeperFor: (pattern: RegExp, side: string) => Keeper) => {
  for (const [step, pattern] of Object.entries(CALLS))
    for (const side of SIDES) {
      const key = `${name}-${step}-${side}`
      const arm = () => {
        orders.door.keeper = keeperFor(pattern, side)
      }
      const cancelling = step === 'refund' || step === 'restock'
      if (!cancelling) arm()
      const { id } = await begun(orders.service.url, key)
      if (!cancelling) continue
      arm()
      await post(orders.service.url, `/api/orders/${id}/cancel`, key)
    }
}

/** Places an order that turns back, for each call on its way back, with such a keeper in its way. */
const atEveryCallBack = async (name: string, keeperFor: (pattern: RegExp, side: string) => Keeper) => {
  for (const step of CALLS_BACK)
    for (const side of SIDES) {
      orders.door.keeper = sellTooLate(keeperFor(CALLS[step], side))
      const { status } = await begun(orders.service.url, `${name}-back-${step}-${side}`)
      expect(status).toBe(409)
    }
  orders.door.keeper = ({ pass }) => pass()
}

it('of the order service itself', async () => {
  const dying = async (point: string, request: (url: string) => Promise<unknown>) => {
    const doomed: ShopProcess = await startShopProcess({ ...env, FAIL_POINTS: `${point}=kill` }, MAIN)
    await request(doomed.url).catch(() => undefined)
    expect(await doomed.ended).toBe('SIGKILL')
    // The survivor goes on when the lease of the dead is over; the next to die must find nothing to take up.
    await orders.service
      .db('sagas')
      .whereNotNull('lease_until')
      .update({ lease_until: new Date(0) })
    await expect.poll(open, { timeout: 30_000, interval: 50 }).toEqual([])
  }
  for (const step of ['reserve', 'charge', 'sell'])
    for (const side of SIDES) {
      const point = `saga.place-order.${step}.do.${side}`
      await dying(point, (url) => place(url, point))
    }
  for (const step of ['refund', 'restock'])
    for (const side of SIDES) {
      const point = `saga.cancel-order.${step}.do.${side}`
      const { id } = await begun(orders.service.url, point)
      await dying(point, (url) => post(url, `/api/orders/${id}/cancel`, point))
    }
  orders.door.keeper = sellTooLate()
  for (const step of ['charge', 'reserve'])
    for (const side of SIDES) {
      const point = `saga.place-order.${step}.undo.${side}`
      await dying(point, (url) => place(url, point))
    }
  await endsWell()
  const statuses = await orders.service
    .db('orders')
    .select('status')
    .count('* as n')
    .groupBy('status')
    .orderBy('status')
  expect(statuses.map(({ status, n }) => [status, Number(n)])).toEqual([
    ['cancelled', 4 + 4],
    ['confirmed', 6],
  ])
}, 240_000)

it('of whoever has inventory and payments', async () => {
  const shopEnv = { ...orders.sandbox.env, ...orders.door.env, DATABASE_URL: orders.shop.config.DATABASE_URL }
  const start = () => startShopProcess({ ...shopEnv, JWT_KEYS: JSON.stringify(orders.shop.config.JWT_KEYS) })
  let behind = await start()
  orders.door.to = behind.url
  let killed = 0
  const dieOnce = (pattern: RegExp, side: string) =>
    once(pattern, async (call) => {
      if (side === 'after') await call.pass()
      await behind.kill()
      killed += 1
      behind = await start()
      orders.door.to = behind.url
      throw new Error('died of it')
    })
  try {
    await atEveryCall('behind', dieOnce)
    await atEveryCallBack('behind', dieOnce)
    await endsWell()
    expect(killed).toBe(2 * (Object.keys(CALLS).length + CALLS_BACK.length))
  } finally {
    await behind.close()
  }
}, 240_000)

it('of the payment provider', async () => {
  let killed = 0
  const dieOnce = (pattern: RegExp, side: string) =>
    once(pattern, async (call) => {
      if (side === 'after') await call.pass()
      const restart = await orders.sandbox.killProvider()
      killed += 1
      // What it has answered is lost as well, so that it is asked again.
      const answer = side === 'before' ? await call.pass() : undefined
      await restart()
      if (!answer) throw new Error('died of it')
      return answer
    })
  await atEveryCall('provider', dieOnce)
  await atEveryCallBack('provider', dieOnce)
  // It has charged, keeps its caller waiting for the answer, and dies.
  const charged = (await orders.sandbox.ledger()).length
  const late = place(orders.service.url, 'provider-late', 'tok_timeout')
  await expect.poll(async () => (await orders.sandbox.ledger()).length, { timeout: 30_000 }).toBe(charged + 1)
  await (await orders.sandbox.killProvider())()
  await late
  expect((await begun(orders.service.url, 'provider-late', 'tok_timeout')).status).toBe(201)
  expect(await orders.sandbox.ledger()).toHaveLength(charged + 1)
  await endsWell()
  expect(killed).toBe(2 * (Object.keys(CALLS).length + CALLS_BACK.length))
}, 240_000)

/** Does it once, in front of the next call of the pattern or behind it. */
const onceAt = (pattern: RegExp, side: string, act: () => Promise<unknown>) =>
  once(pattern, async (call) => {
    if (side === 'before') await act()
    const answer = await call.pass()
    if (side === 'after') await act()
    return answer
  })

it.each(['order-service', 'monolith'] as const)(
  'of every connection of the %s to its database',
  async (name) => {
    const { db } = name === 'monolith' ? orders.shop : orders.service
    let cut = 0
    const cutAll = async () => {
      const { rows } = await db.raw(
        `select count(pg_terminate_backend(pid))::int as ended from pg_stat_activity
       where datname = current_database() and application_name = ?`,
        [name],
      )
      expect(rows[0].ended).toBeGreaterThan(0)
      cut += 1
    }
    await atEveryCall(`cut-${name}`, (pattern, side) => onceAt(pattern, side, cutAll))
    await atEveryCallBack(`cut-${name}`, (pattern, side) => onceAt(pattern, side, cutAll))
    await endsWell()
    expect(cut).toBe(2 * (Object.keys(CALLS).length + CALLS_BACK.length))
  },
  240_000,
)

it('of the database server, under all of them at once', async () => {
  let crashed = 0
  const crash = async () => {
    await crashDatabaseServer()
    crashed += 1
  }
  await atEveryCall('crash', (pattern, side) => onceAt(pattern, side, crash))
  await atEveryCallBack('crash', (pattern, side) => onceAt(pattern, side, crash))
  await endsWell()
  expect(crashed).toBe(2 * (Object.keys(CALLS).length + CALLS_BACK.length))
}, 240_000)

it.each(['monolith', 'service'] as const)(
  '200 buyers at once get the last 5 exactly, at the %s',
  async (side) => {
    await orders.shop.db('stock').where({ product_id: 3 }).update({ available: 5 })
    await orders.setOwner(side)
    const { url, db } = orders[side === 'service' ? 'service' : 'shop']
    try {
      const buy = async (n: number): Promise<number> => {
        for (;;) {
          const { status } = await post(
            url,
            '/api/orders',
            `${side}-${n}`,
            orderBody({ items: [{ productId: 3, quantity: 1 }] }),
          )
          // Too busy to name a price: asked again under the same key.
          if (status < 500) return status
        }
      }
      const statuses = await Promise.all(Array.from({ length: 200 }, (_, n) => buy(n)))
      expect(statuses.filter((status) => ![201, 202, 409].includes(status))).toEqual([])
      await expect
        .poll(() => db('sagas').whereIn('status', ['RUNNING', 'COMPENSATING']).select('id'), { timeout: 60_000 })
        .toEqual([])
      const [sold] = await db('order_items as i')
        .join('orders as o', 'o.id', 'i.order_id')
        .where({ product_id: 3, status: 'confirmed' })
        .count('* as n')
      expect(Number(sold!.n)).toBe(5)
      expect(await orders.shop.db('stock').where({ product_id: 3 }).first('available', 'reserved')).toEqual({
        available: 0,
        reserved: 0,
      })
    } finally {
      await orders.setOwner('service')
    }
  },
  120_000,
)
