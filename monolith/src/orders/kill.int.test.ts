import { afterAll, beforeAll, expect, it } from 'vitest'
import { orderBody } from '../testing/order.ts'
import { type ShopProcess, startShopProcess } from '../testing/process.ts'
import { reconcile } from '../testing/reconcile.ts'
import { type Sandbox, startSandbox } from '../testing/sandbox.ts'
import { startTestShop, type TestShop } from '../testing/shop.ts'

const PLACING = [
  { point: 'saga.place-order.charge.do.before', paymentToken: 'tok_visa', status: 201 },
  { point: 'payments.before-charge', paymentToken: 'tok_visa', status: 201 },
  { point: 'payments.after-charge', paymentToken: 'tok_visa', status: 201 },
  { point: 'payments.after-charge', paymentToken: 'tok_declined', status: 402 },
  { point: 'saga.place-order.charge.do.after', paymentToken: 'tok_visa', status: 201 },
]
const CANCELLING = [
  'saga.cancel-order.refund.do.before',
  'payments.before-cancel',
  'payments.after-cancel',
  'saga.cancel-order.refund.do.after',
]

let sandbox: Sandbox
let shop: TestShop
let customer: Awaited<ReturnType<TestShop['customer']>>
let env: Record<string, string>

beforeAll(async () => {
  sandbox = await startSandbox()
  // The schema, the customer and the books; the orders are taken by processes that die of them.
  shop = await startTestShop(sandbox.env)
  customer = await shop.customer()
  const { DATABASE_URL, JWT_KEYS } = shop.config
  env = { ...sandbox.env, DATABASE_URL, JWT_KEYS: JSON.stringify(JWT_KEYS) }
})
afterAll(async () => {
  await shop?.close()
  await sandbox?.close()
})

const post = (url: string, path: string, key: string, body?: object) =>
  fetch(url + path, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${customer.token}`,
      'content-type': 'application/json',
      'idempotency-key': key,
    },
    body: JSON.stringify(body ?? {}),
  })
const place = (url: string, key: string, paymentToken: string) =>
  post(url, '/api/orders', key, orderBody({ paymentToken }))

/** Starts a shop that dies at the point, sends the request, and sees both the broken answer and the kill. */
const dieOf = async (point: string, request: (url: string) => Promise<Response>): Promise<void> => {
  const doomed: ShopProcess = await startShopProcess({ ...env, FAIL_POINTS: `${point}=kill` })
  await expect(request(doomed.url)).rejects.toThrow()
  expect(await doomed.ended).toBe('SIGKILL')
}

it('resumes what a SIGKILL interrupted at every point around the money, and the books are right to the cent', async () => {
  const before = await shop.db('stock').where({ product_id: 1 }).first('available')
  const keyOf = (one: { point: string; paymentToken: string }) => `${one.point}/${one.paymentToken}`
  await Promise.all(PLACING.map((one) => dieOf(one.point, (url) => place(url, keyOf(one), one.paymentToken))))
  await Promise.all(
    CANCELLING.map(async (point) => {
      const placed = await place(shop.url, point, 'tok_visa')
      const { id } = (await placed.json()) as { id: number }
      await dieOf(point, (url) => post(url, `/api/orders/${id}/cancel`, point))
    }),
  )

  const survivor = await startShopProcess(env)
  try {
    for (const one of PLACING) {
      const answer = await settled(() => place(survivor.url, keyOf(one), one.paymentToken))
      expect([keyOf(one), answer.status]).toEqual([keyOf(one), one.status])
    }
    await until(async () => (await shop.db('orders').whereIn('status', ['pending', 'cancelling'])).length === 0)
  } finally {
    await survivor.close()
  }
  await reconcile(shop.db, sandbox)
  const paid = PLACING.filter((one) => one.status === 201).length
  expect(await shop.db('orders').where({ status: 'confirmed' })).toHaveLength(paid)
  expect(await shop.db('orders').where({ status: 'cancelled' })).toHaveLength(1 + CANCELLING.length)
  const after = await shop.db('stock').where({ product_id: 1 }).first('available')
  expect(after.available).toBe(before.available - paid)
}, 180_000)

/** Repeats the request under its key until its order is through. */
const settled = async (request: () => Promise<Response>): Promise<Response> => {
  let answer = await request()
  await until(async () => {
    if (answer.status === 202) answer = await request()
    return answer.status !== 202
  })
  return answer
}

const until = async (seen: () => Promise<boolean>): Promise<void> => {
  const end = Date.now() + 40_000
  while (!(await seen())) {
    if (Date.now() > end) throw new Error('not seen within 40 s')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
