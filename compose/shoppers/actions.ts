/** What a shopper may do, each as the requests a browser would send, with what was told written to the journal. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { ended, type Placed, placedBy, statusOf } from './answers.ts'
import type { Person } from './people.ts'
import type { Answer, Ask, ShopClient } from './shop-client.ts'
import type { OrderLine, Told } from './told.ts'

export type World = {
  client: ShopClient
  /** Resolves when the line is on the disk. */
  write: (told: Told) => Promise<void>
  /** Products that may be bought or changed. */
  products: readonly number[]
  pick: <T>(of: readonly T[]) => T
}

type Action = (world: World, person: Person) => Promise<void>

const RETRIES = 20
const POLLS = 60
/** Cards that the provider answers late, or only when it is asked again. */
const SLOW_CARDS = new Set(['tok_flaky', 'tok_timeout'])

export const browse: Action = async ({ client, pick, products }, { session }) => {
  const paths = [
    '/api/categories',
    `/api/products?page=${1 + Math.floor(Math.random() * 40)}`,
    '/api/products?sort=price&size=10',
    `/api/products/${pick(products)}`,
    `/api/products/${pick(products)}`,
    `/api/products/${pick(products)}`,
  ]
  await client.ask({ action: 'browse', method: 'GET', path: pick(paths), session })
}

export const search: Action = async ({ client, pick }, { session }) => {
  const words = ['garden', 'lamp', 'steel', 'oak', 'blue', 'set', 'compact', 'book']
  await client.ask({ action: 'search', method: 'GET', path: `/api/products?q=${pick(words)}`, session })
}

export const fillCart: Action = async ({ client, pick, products }, { session }) => {
  const path = `/api/cart/items/${pick(products)}`
  await client.ask({
    action: 'cart',
    method: 'PUT',
    path,
    session,
    body: { quantity: 1 + Math.floor(Math.random() * 3) },
    mayBeHeld: true,
  })
}

export const lookAround: Action = async ({ client, pick }, { session, orders }) => {
  const own = orders.length > 0 ? [`/api/orders/${pick(orders)}`, `/api/orders/${pick(orders)}/shipment`] : []
  const paths = ['/api/cart', '/api/orders', '/api/notifications', '/api/users/me', ...own]
  await client.ask({ action: 'look', method: 'GET', path: pick(paths), session })
}

/** Comes back as if the access token had run out: with the session that is still open, now and then by signing in anew. */
export const goAway: Action = async (_world, person) => {
  person.loggedInUntil = 0
  if (Math.random() < 0.3) delete person.refreshToken
}

/** Orders one to three products, now and then with a card that is declined, slow or flaky. */
export const order: Action = async (world, person) => {
  const key = randomUUID()
  const items: OrderLine[] = [
    ...new Set([0, 1, 2].slice(0, 1 + Math.floor(Math.random() * 3)).map(() => world.pick(world.products))),
  ].map((productId) => ({ productId, quantity: 1 + Math.floor(Math.random() * 2) }))
  const paymentToken = token()
  const shippingAddress = { name: 'A Shopper', line1: '1 Fig Lane', postalCode: '10115', city: 'Berlin', country: 'DE' }
  await world.write({ kind: 'ordering', at: now(), key, email: person.email })
  const placed = await insist(world, {
    action: 'order',
    method: 'POST',
    path: '/api/orders',
    session: person.session,
    body: { items, paymentToken, shippingAddress },
    headers: { 'idempotency-key': key },
    mayBeHeld: true,
    slowOfItself: SLOW_CARDS.has(paymentToken),
  })
  if (!placed) return
  const { orderId } = placed
  if (orderId === undefined) {
    await world.write({ kind: 'refused', at: now(), key, status: placed.httpStatus })
    return
  }
  person.orders.push(orderId)
  if (person.orders.length > 20) person.orders.shift()
  const told = { kind: 'order', key, orderId, lines: items } as const
  await world.write({ ...told, at: now(), ...statusOf(placed) })
  if (ended(placed.status)) return
  const end = await poll(world, person, orderId)
  if (end) await world.write({ ...told, at: now(), ...statusOf(end) })
}

export const cancel: Action = async (world, person) => {
  const orderId = person.orders.at(-1)
  if (orderId === undefined) return await browse(world, person)
  person.orders.pop()
  const path = `/api/orders/${orderId}/cancel`
  await world.write({ kind: 'cancelling', at: now(), orderId })
  const answer = await insist(world, {
    action: 'cancel',
    method: 'POST',
    path,
    session: person.session,
    mayBeHeld: true,
  })
  if (!answer || answer.httpStatus >= 300) return
  const end = ended(answer.status) ? answer : await poll(world, person, orderId)
  if (end) await world.write({ kind: 'cancel', at: now(), orderId, status: end.status })
}

export const adjustStock: Action = async ({ client, pick, products, write }, { session }) => {
  const id = randomUUID()
  const productId = pick(products)
  const delta = 1 + Math.floor(Math.random() * 20)
  await write({ kind: 'adjusting', at: now(), id, productId, delta })
  const path = `/api/products/${productId}/stock-adjustments`
  const answer = await client.ask({
    action: 'adjust',
    method: 'POST',
    path,
    session,
    body: { delta, reason: 'delivery' },
    mayBeHeld: true,
  })
  // Not sent again: without an answer nobody knows, and the ledger allows for both.
  if (answer && answer.status < 500) await write({ kind: 'adjusted', at: now(), id, done: answer.status < 300 })
}

export const editProduct: Action = async ({ client, pick, products }, { session }) => {
  const description = `Revised ${now()}`
  const path = `/api/products/${pick(products)}`
  await client.ask({ action: 'edit', method: 'PATCH', path, session, body: { description }, mayBeHeld: true })
}

/** The same request with the same key until there is an answer that says what became of it. */
async function insist({ client }: World, ask: Ask): Promise<Placed | undefined> {
  for (let attempt = 0; attempt < RETRIES; attempt += 1) {
    const answer: Answer | undefined = await client.ask(ask)
    if (answer && answer.status < 500) return placedBy(answer)
    await sleep(Math.min(100 * 2 ** attempt, 2_000))
  }
  return undefined
}

async function poll({ client }: World, { session }: Person, orderId: number): Promise<Placed | undefined> {
  for (let attempt = 0; attempt < POLLS; attempt += 1) {
    await sleep(attempt < 10 ? 200 : 1_000)
    const answer = await client.ask({ action: 'poll', method: 'GET', path: `/api/orders/${orderId}`, session })
    if (answer?.status !== 200) continue
    const placed = placedBy(answer)
    if (ended(placed.status)) return placed
  }
  return undefined
}

function token(): string {
  const dice = Math.random()
  if (dice < 0.03) return 'tok_declined'
  if (dice < 0.05) return 'tok_flaky'
  if (dice < 0.06) return 'tok_timeout'
  return 'tok_visa'
}

function now(): string {
  return new Date().toISOString()
}
