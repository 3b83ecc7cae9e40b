import { armFailPoints } from '@banyan/kit/service'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { reconcile } from '../testing/reconcile.ts'
import { type Sandbox, startSandbox } from '../testing/sandbox.ts'
import { startTestShop, type TestShop } from '../testing/shop.ts'

let sandbox: Sandbox
let shop: TestShop
beforeAll(async () => {
  sandbox = await startSandbox()
  shop = await startTestShop(sandbox.env)
})
afterAll(async () => {
  await shop?.close()
  await sandbox?.close()
})

const ownPayments = (owner: string) => shop.db('banyan.owner').where({ context: 'payments' }).update({ owner })
const until = (seen: () => Promise<boolean>) => expect.poll(seen, { timeout: 30_000, interval: 20 }).toBe(true)

it('an order that is cancelled while payments move, with its charge made and not noted, gives the money back', async () => {
  const { token } = await shop.customer()
  const armed = armFailPoints('payments.after-charge=once:hang')
  const placing = shop.order(token, 'cancelled-on-the-move')
  await until(async () => armed.reached('payments.after-charge') === 1)
  await ownPayments('moving')
  armed.release('payments.after-charge')
  const { id } = await shop.db('orders').where({ idempotency_key: 'cancelled-on-the-move' }).first('id')
  const saga = () =>
    shop
      .db('sagas')
      .where({ id: `place-${id}` })
      .first()
  // The saga has been told what became of its call, and is about to call again.
  await until(async () => /^(later|failed)$/.test((await saga()).history.at(-1).what))
  await shop.call('POST', `/api/orders/${id}/cancel`, { token })
  await ownPayments('monolith')
  await placing
  armed.disarm()
  await until(async () => (await saga()).status === 'COMPENSATED')
  expect((await sandbox.heldCents()).get(`order-${id}`)).toBe(0)
  await reconcile(shop.db, sandbox)
})
