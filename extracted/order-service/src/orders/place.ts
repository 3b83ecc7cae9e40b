import type { SagaRunner } from '@banyan/kit/saga'
import { problem } from '@banyan/kit/service'
import type { Knex } from 'knex'
import { cartLines } from './cart.ts'
import { lookupProducts } from './lookup.ts'
import { fingerprint, mergeLines, type OrderLine, type StoredResponse, totalOf } from './order.ts'
import type { CustomerOf, InventoryPort } from './ports.ts'
import { placingId } from './sagas.ts'
import type { OrderRequest } from './schemas.ts'
import { findByKey, getOrder, insertOrder, type Placed, writeOrders } from './store.ts'

export type PlaceDeps = {
  db: Knex
  inventory: InventoryPort
  runner: SagaRunner<Knex.Transaction>
  customerOf: CustomerOf
  /** How long a request waits for its order. Milliseconds. */
  patienceMs: number
}

/** What payments charge at once. */
const MOST_CENTS = 100_000_000

/** What `POST /api/orders` answers: the end of the order's saga, or, after a while, where to look for it. */
export type PlaceResult = { orderId: number; response: StoredResponse }

/**
 * Places an order, once per user and key.
 *
 * @throws Problem 422 idempotency-key-reused | cart-empty | unknown-product | order-too-dear, and what `customerOf` throws
 */
export const place = async (
  deps: PlaceDeps,
  userId: number,
  key: string,
  request: OrderRequest,
): Promise<PlaceResult> => {
  const requestHash = fingerprint(request)
  const earlier = await findByKey(deps.db, userId, key)
  if (earlier) return again(deps, earlier, requestHash)

  // The owner's cart alone: of a copy that is behind it might be said that nothing is in it.
  const wanted = request.items ?? (await writeOrders(deps.db, (trx) => cartLines(trx, userId)))
  const items = await priced(deps, wanted, request.items === undefined)
  const totalCents = totalOf(items)
  if (totalCents > MOST_CENTS) throw tooDear(totalCents)
  const customer = await deps.customerOf(userId)
  const order = { userId, items, customer, totalCents, shippingAddress: request.shippingAddress }
  const begun = await writeOrders(deps.db, async (trx) => {
    const orderId = await insertOrder(trx, { ...order, idempotencyKey: key, requestHash })
    if (orderId === undefined) return undefined
    const standing = await deps.runner.start(trx, {
      saga: 'place-order',
      id: placingId(orderId),
      data: {
        orderId,
        userId,
        lines: items.map(({ productId, quantity }) => ({ productId, quantity })),
        amountCents: order.totalCents,
        paymentToken: request.paymentToken,
        fromCart: request.items === undefined,
      },
    })
    return { orderId, standing }
  })
  // Another request with this key came first while we waited for it.
  if (!begun) return again(deps, (await findByKey(deps.db, userId, key))!, requestHash)
  await deps.runner.follow(begun.standing, deps.patienceMs)
  return answer(deps, begun.orderId)
}

const tooDear = (totalCents: number) =>
  problem(422, 'order-too-dear', `${totalCents} cents are more than one order may cost, ${MOST_CENTS}; order less`)

const again = async (deps: PlaceDeps, earlier: Placed, requestHash: string): Promise<PlaceResult> => {
  if (earlier.requestHash !== requestHash)
    throw problem(
      422,
      'idempotency-key-reused',
      `this Idempotency-Key belongs to order ${earlier.order.id}, which was another request; choose a new key`,
    )
  if (!earlier.response) await deps.runner.followStored(placingId(earlier.order.id), deps.patienceMs)
  return answer(deps, earlier.order.id)
}

const answer = async ({ db }: PlaceDeps, orderId: number): Promise<PlaceResult> => {
  const { response } = await getOrder(db, orderId)
  const statusUrl = `/api/orders/${orderId}`
  return { orderId, response: response ?? { status: 202, body: { id: orderId, status: 'pending', statusUrl } } }
}

/** @param fromCart what nobody sells any more is left out: nor is it in the cart as its owner sees it */
const priced = async (
  { inventory }: PlaceDeps,
  wanted: readonly { productId: number; quantity: number }[],
  fromCart: boolean,
): Promise<OrderLine[]> => {
  const lines = mergeLines(wanted)
  const ids = lines.map((line) => line.productId)
  const products = await lookupProducts(inventory, ids)
  const unknown = ids.filter((id) => !products.has(id))
  if (unknown.length > 0 && !fromCart)
    throw problem(422, 'unknown-product', `no such product: ${unknown.join(', ')}`, { productIds: unknown })
  const sold = lines.filter((line) => products.has(line.productId))
  if (sold.length === 0) throw problem(422, 'cart-empty', 'there is nothing to order: name items or fill the cart')
  return sold.map(({ productId, quantity }) => {
    const { name, priceCents } = products.get(productId)!
    return { productId, name, priceCents, quantity }
  })
}
