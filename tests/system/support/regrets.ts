/** A customer who takes back whatever they buy: a cent of it as a refund, then the whole order. */
import { randomUUID } from 'node:crypto'
import { adminToken } from './doors.ts'
import { type Account, type Browser, newBrowser, register, signIn, succeed } from './people.ts'
import type { System } from './system.ts'
import { until } from './wait.ts'

export type Regrets = {
  /** Ends with the order in hand, so that no refund is left without its cancellation: the ledger would miss the cent. */
  stop(): Promise<void>
}

/** An outage of the shop and the start after it are over by then. */
const PATIENCE_MS = 60_000

/** Starts them; they ask again, under the same key, whenever the shop does not answer. */
export function startRegrets(system: System): Regrets {
  const closing = new AbortController()
  const browser = newBrowser(system.stack.env.PROXY_URL ?? '')
  const token = adminToken(system)
  const loop = (async () => {
    const account = await insist('register', () => register(browser))
    while (!closing.signal.aborted) await buyAndReturn(browser, account, token)
  })()
  return {
    stop() {
      closing.abort()
      return loop
    },
  }
}

async function buyAndReturn(browser: Browser, account: Account, admin: () => Promise<string>): Promise<void> {
  const headers = { 'idempotency-key': randomUUID() }
  const { accessToken: token } = await insist('sign in', () => signIn(browser, account))
  const ask = <T>(method: string, path: string, more: object = {}) =>
    succeed<T>(`${method} ${path}`, browser(method, path, { token, ...more }))
  const { id } = await insist('buy', () => ask<{ id: number }>('POST', '/api/orders', { headers, body: ORDER }))
  await insist('have bought', async () => {
    const { status } = await ask<{ status: string }>('GET', `/api/orders/${id}`)
    return status === 'confirmed'
  })
  const payment = await insist('find the payment', async () => {
    const { items } = await ask<{ items: { id: number }[] }>('GET', `/api/payments?orderId=${id}`)
    return items[0]?.id
  })
  const refund = { headers, body: { amountCents: 1, reason: 'scratched' } }
  await insist('refund', async () =>
    ask('POST', `/api/payments/${payment}/refunds`, { ...refund, token: await admin() }),
  )
  await insist('cancel', () => ask('POST', `/api/orders/${id}/cancel`))
}

const ORDER = {
  items: [{ productId: 1, quantity: 1 }],
  paymentToken: 'tok_visa',
  shippingAddress: { name: 'R', line1: 'Main 1', postalCode: '10115', city: 'Berlin', country: 'DE' },
}

const insist = <T>(what: string, act: () => Promise<T | false | undefined>): Promise<T> =>
  until(`a customer to ${what}`, PATIENCE_MS, act)
