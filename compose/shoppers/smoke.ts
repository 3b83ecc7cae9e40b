/**
 * The smoke test: ORDERS purchases (100) through SHOP_URL by new customers, five at a time, of a product that nobody
 * else sees. Exit code 0 if each of them was confirmed and the stock is exactly used up.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { whole } from '../sandbox/process.ts'
import { ended, placedBy } from './answers.ts'
import { logIn, register } from './login.ts'
import { createMeasure } from './measure.ts'
import { newPerson, type Person } from './people.ts'
import { createShopClient, type Session } from './shop-client.ts'

const CUSTOMERS = 5
const POLLS = 100

const { SHOP_URL = '', ADMIN_EMAIL: email = '', ADMIN_PASSWORD: password = '' } = process.env
const orders = whole('ORDERS', 100)
const run = randomUUID().slice(0, 8)
const measure = createMeasure()
const client = createShopClient(SHOP_URL, measure)
const started = performance.now()

const admin: Person = { ...newPerson(run, 0), email, password }
if (!(await logIn(client, admin))) throw new Error(`nobody could sign in as ${email} at ${SHOP_URL}`)
const product = await makeProduct(admin.session)
let waiting = orders
let confirmed = 0
await Promise.all(Array.from({ length: CUSTOMERS }, (_, number) => shop(newPerson(run, number + 1))))
const left = await stockOf(product)
await client.close()

const { requests, failed, p50Ms, p99Ms } = measure.traffic()
const seconds = Math.round((performance.now() - started) / 100) / 10
console.log(JSON.stringify({ orders, confirmed, left, requests, failed, p50Ms, p99Ms, seconds }))
process.exitCode = confirmed === orders && left === 0 && failed === 0 ? 0 : 1

async function shop(person: Person): Promise<void> {
  if (!(await register(client, person)) || !(await logIn(client, person))) return
  while (waiting > 0) {
    waiting -= 1
    if (await buyOne(person.session)) confirmed += 1
  }
}

async function buyOne(session: Session): Promise<boolean> {
  const shippingAddress = { name: 'Smoke', line1: '1 Fig Lane', postalCode: '10115', city: 'Berlin', country: 'DE' }
  const answer = await client.ask({
    action: 'order',
    method: 'POST',
    path: '/api/orders',
    session,
    headers: { 'idempotency-key': randomUUID() },
    body: { items: [{ productId: product, quantity: 1 }], paymentToken: 'tok_visa', shippingAddress },
  })
  let placed = answer && placedBy(answer)
  for (let polls = 0; placed?.orderId && !ended(placed.status) && polls < POLLS; polls += 1) {
    await sleep(200)
    const seen = await client.ask({ action: 'poll', method: 'GET', path: `/api/orders/${placed.orderId}`, session })
    if (seen?.status === 200) placed = placedBy(seen)
  }
  return placed?.status === 'confirmed' || placed?.status === 'shipped'
}

async function makeProduct(session: Session): Promise<number> {
  const categories = await ask('GET', '/api/categories', session)
  const category = z.object({ items: z.array(z.object({ slug: z.string() })).min(1) }).parse(categories).items[0]?.slug
  const wanted = { sku: `SMOKE-${run.toUpperCase()}`, name: `Smoke test ${run}`, category, priceCents: 1250 }
  return z
    .object({ id: z.number() })
    .parse(await ask('POST', '/api/products', session, { ...wanted, available: orders })).id
}

async function stockOf(id: number): Promise<number> {
  const seen = await ask('GET', `/api/products/${id}`, admin.session)
  return z.object({ stock: z.object({ available: z.number() }) }).parse(seen).stock.available
}

async function ask(method: 'GET' | 'POST', path: string, session: Session, body?: object): Promise<unknown> {
  const answer = await client.ask({ action: 'smoke', method, path, session, ...(body ? { body } : {}) })
  if (!answer || answer.status >= 300)
    throw new Error(`${method} ${path}: ${answer?.status} ${JSON.stringify(answer?.body)}`)
  return answer.body
}
