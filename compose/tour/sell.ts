/**
 * One purchase from end to end through $SHOP_URL: a new customer buys one piece of a product, and its stock is one
 * less afterwards. Exit code 0 if so. (The shoppers buy at the same time, so a product nobody else sees is made first.)
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

const shop = process.env.SHOP_URL ?? ''
const started = performance.now()
const id = randomUUID().slice(0, 8)
const admin = await logIn(process.env.ADMIN_EMAIL ?? '', process.env.ADMIN_PASSWORD ?? '')
const [category] = (await call('GET', '/api/categories')).items
const product = await call('POST', '/api/products', admin, {
  sku: `TOUR-${id.toUpperCase()}`,
  name: `Playbook piece ${id}`,
  category: category.slug,
  priceCents: 1250,
  available: 5,
})
const customer = { email: `playbook-${id}@shopper.example`, password: 'a customer of the playbook' }
await call('POST', '/api/users', undefined, { ...customer, name: 'Playbook' })
const token = await logIn(customer.email, customer.password)
const body = {
  items: [{ productId: product.id, quantity: 1 }],
  paymentToken: 'tok_visa',
  shippingAddress: { name: 'Playbook', line1: '1 Fig Lane', postalCode: '10115', city: 'Berlin', country: 'DE' },
}
let order = await call('POST', '/api/orders', token, body, { 'idempotency-key': randomUUID() })
for (let polls = 0; order.status === 'pending' && polls < 100; polls += 1) {
  await sleep(200)
  order = await call('GET', `/api/orders/${order.id}`, token)
}
const { stock } = await call('GET', `/api/products/${product.id}`, admin)
console.log(
  `order ${order.id}: ${order.status}; ${stock.available} of 5 left (${Math.round(performance.now() - started)} ms)`,
)
if (!['confirmed', 'shipped'].includes(order.status) || stock.available !== 4) process.exit(1)

async function logIn(email: string, password: string): Promise<string> {
  return (await call('POST', '/api/sessions', undefined, { email, password })).accessToken
}

// biome-ignore lint/suspicious/noExplicitAny: the answers are the shop's own, and a wrong one ends this script.
async function call(method: string, path: string, token?: string, body?: object, more = {}): Promise<any> {
  const response = await fetch(`${shop}${path}`, {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...more,
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text.slice(0, 300)}`)
  return JSON.parse(text)
}
