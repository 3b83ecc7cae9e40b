import type { Standing } from '@banyan/kit/saga'
import { problem } from '@banyan/kit/service'
import type { Knex } from 'knex'
import type { Order } from './order.ts'
import type { PlaceDeps } from './place.ts'
import { cancellingId, placingId } from './sagas.ts'
import { getOrder, lockOrder, updateOrder, writeOrders } from './store.ts'

type Deps = Pick<PlaceDeps, 'db' | 'runner' | 'patienceMs'>

const REASON = { code: 'cancelled-by-customer', message: 'the order was cancelled by its customer' }

/**
 * Cancels an order: one on its way turns back, a confirmed one is taken back. Doing it twice is doing it once.
 *
 * @returns the order as it is after a while: `cancelled`, or still on the way there
 * @throws Problem 404 order-not-found, 409 order-shipped | order-stuck
 */
export const cancel = async (deps: Deps, userId: number, orderId: number): Promise<Order> => {
  const standing = await writeOrders(deps.db, async (trx) => {
    // Not before the owner is asked: an order that is not known here may have been placed there a moment ago.
    await getOrder(trx, orderId, userId)
    return turnBack(trx, deps, orderId)
  })
  if (standing) await deps.runner.follow(standing, deps.patienceMs)
  else {
    await deps.runner.followStored(placingId(orderId), deps.patienceMs)
    const cancelling = await deps.runner.followStored(cancellingId(orderId), deps.patienceMs)
    if (cancelling?.status === 'NEEDS_ATTENTION') throw stuck()
  }
  return (await getOrder(deps.db, orderId)).order
}

const turnBack = async (trx: Knex.Transaction, { runner }: Deps, orderId: number): Promise<Standing | undefined> => {
  // First the saga, then the order: in this order the saga's own steps lock them.
  const placing = await runner.cancel(trx, placingId(orderId), REASON)
  const order = await lockOrder(trx, orderId)
  if (order.status === 'shipped') throw problem(409, 'order-shipped', 'the order is on its way; send it back instead')
  if (placing?.status === 'NEEDS_ATTENTION' && order.status === 'pending') throw stuck()
  if (order.status !== 'confirmed') return undefined
  await updateOrder(trx, orderId, { status: 'cancelling' })
  return runner.start(trx, {
    saga: 'cancel-order',
    id: cancellingId(orderId),
    data: { orderId, userId: order.userId, reason: REASON.code },
  })
}

const stuck = () =>
  problem(409, 'order-stuck', 'something of this order could not be taken back; our staff looks after it')
