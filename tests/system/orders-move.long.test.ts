import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connected } from '../../compose/provision/database.ts'
import { expectAtRest, expectEqualSides } from './support/invariants.ts'
import { askFor, endOf, follow, makeReady, nextTurn, rowOf, turn } from './support/moves.ts'
import { type Browser, newBrowser, register, signIn } from './support/people.ts'
import { letShoppersIn, type Shoppers } from './support/shoppers.ts'
import { type System, startSystem } from './support/system.ts'
import { until } from './support/wait.ts'

const BUYERS = 200
/** So many that the owner changes while they are being sold, so few that most buyers come too late. */
const PIECES = 60
const MOST_CROWDS = 10
/** The interlocks have let an attempt through: it waits for the first buyers, who would not let it through any more. */
const MOVER = { FAIL_POINTS: 'mover.switch.before-begin=pause:1500' }
// The cost of a hash is no part of what is shown here.
const QUICK = { ARGON2_MEMORY_KIB: '8', ARGON2_PASSES: '1' }
const SHIPPING = { name: 'Ada', line1: 'Main 1', postalCode: '10115', city: 'Berlin', country: 'DE' }

type Buyer = { browser: Browser; token: string }
type Bought = { told: string; from: number; until: number }

let orders: System
let inventory: System
let shoppers: Shoppers
let buyers: Buyer[]
beforeAll(async () => {
  orders = await startSystem('orders', { monolith: QUICK, 'user-service': QUICK, mover: MOVER }, 'orders')
  inventory = orders.seenAs('inventory')
  shoppers = await letShoppersIn(orders, 5)
  buyers = await Promise.all(Array.from({ length: BUYERS }, newBuyer))
  await makeReady(inventory)
})
afterAll(() => orders?.stop())

it('inventory moves and comes back under 200 buyers, and sells the last pieces exactly as often as they are there', async () => {
  await soldAlong(inventory)
  await expectAtRest(inventory, 'service')
  await expectEqualSides(inventory)
})

it('orders wait for the contexts that they depend on, and hold them where they are afterwards', async () => {
  await makeReady(orders)
  const early = await follow(orders, await askFor(orders, 'switch'))
  expect(early).toMatchObject({ state: 'refused', because: expect.stringContaining('to move first') })
  for (const context of ['users', 'payments']) await turn(orders.seenAs(context))
  await turn(orders)
  for (const context of ['inventory', 'users', 'payments']) {
    const earlier = orders.seenAs(context)
    const held = await follow(earlier, await askFor(earlier, 'rollback'))
    expect(held).toMatchObject({ state: 'refused', because: expect.stringContaining('orders moved later') })
  }
  await turn(orders)
})

it('orders and their sagas move and come back under 200 buyers, and not one piece is sold twice', async () => {
  await soldAlong(orders)
  await expectAtRest(orders, 'service')
  await expectEqualSides(orders)
})

it('the ledger is exact after all of it', () => shoppers.leave())

/** Buyers come in crowds until the owner has changed in both directions while pieces were being sold. */
async function soldAlong(system: System): Promise<void> {
  const seen = new Set<string>()
  for (let crowd = 1; seen.size < 2; crowd += 1) {
    const verb = await nextTurn(system)
    if (await soldWhile(system, verb)) seen.add(verb)
    if (crowd === MOST_CROWDS) expect([...seen].sort()).toEqual(['rollback', 'switch'])
  }
  if ((await nextTurn(system)) === 'switch') await turn(system)
}

/**
 * All buyers ask at once for the last pieces, and while they are sold the owner is to change.
 * @returns whether it did while orders were under way: on a busy machine the move may be refused for its lag, or called off
 */
async function soldWhile(system: System, verb: string): Promise<boolean> {
  await makeReady(system)
  const piece = await addPiece()
  const { term } = await rowOf(system)
  const id = await askFor(system, verb)
  const buying = Promise.all(buyers.map((buyer) => buy(buyer, piece)))
  // Looked at below; a move that fails before must not leave it unheard.
  buying.catch(() => undefined)
  let changedAt: number | undefined
  await until('the owner to change, or not to', 120_000, async () => {
    const now = Date.now()
    if ((await rowOf(system)).term > term) changedAt = now
    return changedAt !== undefined || (await endOf(system, id)) !== undefined
  })
  await follow(system, id)
  const bought = await buying
  const { length: confirmed } = bought.filter(({ told }) => told === '201 confirmed')
  const { length: tooLate } = bought.filter(({ told }) => told === '409 out-of-stock')
  expect({ confirmed, tooLate }, JSON.stringify(bought)).toEqual({ confirmed: PIECES, tooLate: BUYERS - PIECES })
  expect(await sold(piece)).toBe(PIECES)
  expect(await owned(inventory, 'select available, reserved from stock where product_id = $1', [piece])).toEqual([
    { available: 0, reserved: 0 },
  ])
  return changedAt !== undefined && bought.some(({ from, until }) => from < changedAt! && changedAt! < until)
}

/** Buys until it has a piece, or there is none left: an order that was given up for its deadline is followed by another. */
async function buy(buyer: Buyer, piece: number): Promise<Bought> {
  const from = Date.now()
  for (;;) {
    const told = await order(buyer, piece)
    if (told !== '409 order-cancelled') return { told, from, until: Date.now() }
  }
}

/** Asks again under the same key, as after no answer at all, until told how the order ended: by whoever has it then. */
async function order({ browser, token }: Buyer, piece: number): Promise<string> {
  const key = randomUUID()
  const body = { items: [{ productId: piece, quantity: 1 }], paymentToken: 'tok_visa', shippingAddress: SHIPPING }
  const ask = () =>
    browser('POST', '/api/orders', { token, headers: { 'idempotency-key': key }, body }).catch(() => undefined)
  const first = await ask()
  for (const end = Date.now() + 120_000; Date.now() < end; await sleep(500)) {
    const answer = await ask()
    if (!answer || answer.status === 202 || answer.status >= 500) continue
    const { status, body } = answer
    expect(numberOf(body), `the order of ${key}`).toBe(numberOf(first?.body) ?? numberOf(body))
    return `${status} ${status < 300 ? body.status : body.code}`
  }
  throw new Error(`no end of the order ${key}; first answered ${first?.status} ${JSON.stringify(first?.body)}`)
}

const numberOf = (body: Record<string, unknown> = {}) => (body.id ?? body.orderId) as number | undefined

async function newBuyer(): Promise<Buyer> {
  const browser = newBrowser(orders.stack.env.SHOP_URL ?? '')
  const { accessToken: token } = await signIn(browser, await register(browser))
  return { browser, token }
}

/** Of the side that owns the context now. */
async function owned(system: System, query: string, values: unknown[]): Promise<Record<string, unknown>[]> {
  const { owner } = await rowOf(system)
  return (await system.sides[owner].query(query, values)).rows
}

async function sold(piece: number): Promise<number> {
  const [row] = await owned(
    orders,
    `select coalesce(sum(i.quantity), 0)::int as sold from order_items i join orders o on o.id = i.order_id
     where i.product_id = $1 and o.status in ('confirmed', 'shipped')`,
    [piece],
  )
  return row?.sold as number
}

/** A product that no shopper knows, of which there are a few. */
async function addPiece(): Promise<number> {
  const { owner } = await rowOf(inventory)
  const database = owner === 'service' ? inventory.database : 'shop'
  return await connected(inventory.superuser(database), async (db) => {
    const { rows } = await db.query(
      `insert into products (sku, name, description, category_id, price_cents)
       select $1, 'Last pieces', '', min(id), 500 from categories returning id::int`,
      [`LAST-${randomUUID().slice(0, 8).toUpperCase()}`],
    )
    await db.query('insert into stock (product_id, available) values ($1, $2)', [rows[0].id, PIECES])
    return rows[0].id
  })
}
