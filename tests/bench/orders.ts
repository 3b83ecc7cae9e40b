import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type Stack, startStack } from '../../compose/embedded/stack.ts'
import { connected } from '../../compose/provision/database.ts'
import { servicesOf } from '../../compose/provision/services.ts'
import { makeReady, move, turn } from '../system/support/moves.ts'
import { type Browser, newBrowser, register, signIn, succeed } from '../system/support/people.ts'
import { startSystem } from '../system/support/system.ts'
import { median, type Row } from './row.ts'

const ROUNDS = 5
/** What the tour's shoppers place at 50 requests a second: a load, and not the most that two cores can do. */
const RATE = 5
const ROUND_MS = 20_000
const CUSTOMERS = 20
const SHIPPING = { name: 'Ada', line1: 'Main 1', postalCode: '10115', city: 'Berlin', country: 'DE' }

/** A shop of one of the two kinds, with its customers and where its sagas are. */
type Shop = { customers: { browser: Browser; token: string }[]; sagas: string; seen: Seen[][] }
/** One order as its customer saw it. Times are this machine's clock in milliseconds. */
type Seen = { orderId: number; from: number; until: number }
type Line = { at: number; what: string; step?: string }

/**
 * How long an order takes in the end state (six services behind the proxy, no monolith, no mover) beside the monolith
 * alone, at the same rate in turn; then where its time goes, by the timeline of each order's saga.
 */
export async function benchOrders(): Promise<Row[]> {
  const announce = (line: string) => console.error(`bench: ${line}`)
  const alone = await startStack({ name: 'bench-monolith', stage: 0, ports: 'any', announce })
  try {
    const apart = await startSystem('bench-orders', {}, 'orders')
    try {
      for (const { context } of servicesOf(7)) {
        const moved = apart.seenAs(context)
        await makeReady(moved)
        await turn(moved)
        await move(moved, 'verify')
        await move(moved, 'complete', { confirm: context, quietSeconds: 0 })
      }
      for (const name of ['mover', 'monolith']) await apart.stack.process(name).stop()
      return await compare(await openShop(alone, 'shop'), await openShop(apart.stack, 'orders'))
    } finally {
      await apart.stop()
    }
  } finally {
    await alone.stop()
  }
}

async function compare(alone: Shop, apart: Shop): Promise<Row[]> {
  // The first round warms both up and does not count.
  for (let round = 0; round <= ROUNDS; round += 1)
    for (const shop of round % 2 ? [alone, apart] : [apart, alone]) {
      const seen = await oneRound(shop)
      if (round > 0) shop.seen.push(seen)
    }
  const ratioOf = (share: number) =>
    median(apart.seen.map((seen, round) => quantile(tookOf(seen), share) / quantile(tookOf(alone.seen[round]!), share)))
  const latency = [0.5, 0.99].map((share) => ({
    figure: `an order at ${RATE}/s, six services and the proxy, p${share * 100}`,
    value: quantile(tookOf(apart.seen.flat()), share),
    unit: 'ms',
    yardstick: `${quantile(tookOf(alone.seen.flat()), share).toFixed(1)} ms in the monolith alone`,
    ratio: ratioOf(share),
    target: null,
    ok: null,
  }))
  const [here, there] = [await timesOf(alone), await timesOf(apart)]
  const parts = [...there].map(([part, times]) => ({
    figure: `of it: ${part}, p50`,
    value: median(times),
    unit: 'ms',
    yardstick: `${median(here.get(part) ?? [0]).toFixed(1)} ms in the monolith alone`,
    ratio: null,
    target: null,
    ok: null,
  }))
  return [...latency, ...parts]
}

async function openShop({ env, databases }: Stack, database: string): Promise<Shop> {
  const newCustomer = async () => {
    const browser = newBrowser(env.SHOP_URL ?? '')
    return { browser, token: (await signIn(browser, await register(browser))).accessToken }
  }
  const customers: Shop['customers'] = []
  while (customers.length < CUSTOMERS) customers.push(await newCustomer())
  return { customers, sagas: databases.side(database).app, seen: [] }
}

/** An open loop: orders come at the rate, however long the shop takes. */
async function oneRound({ customers }: Shop): Promise<Seen[]> {
  const orders: Promise<Seen>[] = []
  const begun = performance.now()
  while (orders.length < (RATE * ROUND_MS) / 1000) {
    orders.push(placed(customers[orders.length % CUSTOMERS]!, 1 + (orders.length % 500)))
    orders.at(-1)!.catch(() => undefined)
    await pause(Math.max(0, begun + (orders.length * 1000) / RATE - performance.now()))
  }
  return await Promise.all(orders)
}

async function placed({ browser, token }: Shop['customers'][number], productId: number): Promise<Seen> {
  const body = { items: [{ productId, quantity: 1 }], paymentToken: 'tok_visa', shippingAddress: SHIPPING }
  const headers = { 'idempotency-key': randomUUID() }
  const from = Date.now()
  const began = performance.now()
  const order = await succeed<{ id: number; status: string }>(
    'order',
    browser('POST', '/api/orders', { token, headers, body }),
  )
  // A shop that is too slow to wait for says where to look; until it is confirmed the order is not placed.
  for (let { status } = order; status === 'pending'; await pause(50))
    ({ status } = await succeed<typeof order>('poll', browser('GET', `/api/orders/${order.id}`, { token })))
  return { orderId: order.id, from, until: from + performance.now() - began }
}

/** What passed before each order's saga, in each of its steps, and after it. */
async function timesOf({ sagas, seen }: Shop): Promise<Map<string, number[]>> {
  const orders = new Map(seen.flat().map((one) => [`place-${one.orderId}`, one]))
  const { rows } = await connected(sagas, (db) =>
    db.query('select id, history from sagas where id = any($1)', [[...orders.keys()]]),
  )
  const times = new Map<string, number[]>()
  const add = (part: string, ms: number) => times.set(part, [...(times.get(part) ?? []), ms])
  for (const { id, history } of rows as { id: string; history: Line[] }[]) {
    const { from, until } = orders.get(id)!
    add('until the saga is stored (proxy, token, prices, customer)', history[0]!.at - from)
    for (const [index, { at, what, step }] of history.entries())
      if (index > 0 && what === 'done') add(`step ${step}`, at - history[index - 1]!.at)
    add('from its end to the answer', until - history.at(-1)!.at)
  }
  return times
}

const tookOf = (seen: readonly Seen[]) => seen.map(({ from, until }) => until - from)

function quantile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.ceil(values.length * share) - 1]!
}
