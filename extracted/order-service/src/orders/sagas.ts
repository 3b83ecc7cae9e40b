import { defineSaga, ELSEWHERE, type SagaDefinition, type Step } from '@banyan/kit/saga'
import type { Knex } from 'knex'
import { takeOrdered } from './cart.ts'
import { orderCancelled, orderConfirmed, orderPlaced } from './events.ts'
import { type Refusal, refusedResponse, shown } from './order.ts'
import type { InventoryPort, LocalInventory, PaymentsPort, ReservationLine } from './ports.ts'
import { getOrder, lockOrder, updateOrder } from './store.ts'

type Trx = Knex.Transaction
type Ports = { inventory: InventoryPort; payments: PaymentsPort }

/** What placing an order remembers. The token goes when it has been used. */
type Placing = {
  orderId: number
  userId: number
  lines: ReservationLine[]
  amountCents: number
  paymentToken: string | null
  fromCart: boolean
  placed?: boolean
}
type Cancelling = { orderId: number; userId: number; reason: string }

/** The ids of an order's sagas: one of each kind, ever. */
export const placingId = (orderId: number): string => `place-${orderId}`
export const cancellingId = (orderId: number): string => `cancel-${orderId}`

const DAY_MS = 24 * 3_600_000
/**
 * At the longest pause between two of them, for a day, as long as a cancellation is tried: while a provider is away for
 * an hour every order that turns back holds money, and each that gave up would wait for a person of its own.
 */
const UNDO_ATTEMPTS = DAY_MS / 15_000

/**
 * Placing an order: goods set aside, money taken, goods sold, order confirmed; or all of it taken back, the first step
 * last, so that nobody is told "cancelled" before money and goods are where they were.
 */
export const placeOrder = ({ inventory, payments }: Ports): SagaDefinition<Trx> =>
  defineSaga<Trx, Placing>({
    name: 'place-order',
    deadlineMs: 60_000,
    undoAttempts: UNDO_ATTEMPTS,
    steps: [
      { name: 'order', do: { local: async () => undefined }, undo: { local: rejectOrder } },
      {
        name: 'reserve',
        deadlineMs: 20_000,
        do: here(inventory, {
          local: (stock, trx, { orderId, lines }) => stock.reserve(trx, { orderId, lines }),
          remote: ({ orderId, lines }) => inventory.remote.reserve({ orderId, lines }),
        }),
        undo: release(inventory),
      },
      { name: 'place', do: { local: announce } },
      {
        name: 'charge',
        deadlineMs: 20_000,
        do: {
          async remote({ data: { orderId, userId, amountCents, paymentToken } }) {
            // Nobody charges nothing: of an order that costs nothing the provider would refuse it again and again.
            if (amountCents > 0) await payments.charge({ orderId, userId, amountCents, token: paymentToken ?? '' })
            return { paymentToken: null }
          },
        },
        undo: {
          async remote({ data: { orderId, userId } }) {
            await payments.cancel({ orderId, userId })
            return { paymentToken: null }
          },
        },
      },
      {
        // No way back of its own: releasing the reservation gives sold goods back as well.
        name: 'sell',
        deadlineMs: 20_000,
        do: here(inventory, {
          local: (stock, trx, { orderId }) => stock.confirm(trx, orderId),
          remote: ({ orderId }) => inventory.remote.confirm(orderId),
        }),
      },
      { name: 'confirm', do: { local: confirmOrder } },
    ],
  })

/** Cancelling a confirmed order: there is no way back from it, only forward. */
export const cancelOrder = ({ inventory, payments }: Ports): SagaDefinition<Trx> =>
  defineSaga<Trx, Cancelling>({
    name: 'cancel-order',
    deadlineMs: DAY_MS,
    forwardOnly: true,
    steps: [
      { name: 'refund', do: { remote: async ({ data }) => void (await payments.cancel(data)) } },
      { name: 'restock', do: release(inventory) },
      {
        name: 'cancel',
        do: {
          async local(trx, { data: { orderId, reason } }) {
            const order = await lockOrder(trx, orderId)
            await updateOrder(trx, orderId, { status: 'cancelled', cancelReason: reason })
            await orderCancelled(trx, order, reason)
          },
        },
      },
    ],
  })

/**
 * Inventory in this process, in the saga's own transaction, or, once that has ended, in the other one. Which of the two
 * is asked under the lock that a move waits for.
 */
const here = <Data>(
  inventory: InventoryPort,
  act: { local(stock: LocalInventory, trx: Trx, data: Data): Promise<unknown>; remote(data: Data): Promise<unknown> },
): Step<Trx, Data>['do'] => ({
  async local(trx, { data }) {
    const stock = await inventory.here(trx)
    if (!stock) return ELSEWHERE
    await act.local(stock, trx, data)
  },
  async remote({ data }) {
    await act.remote(data)
  },
})

const release = <Data extends { orderId: number }>(inventory: InventoryPort) =>
  here<Data>(inventory, {
    local: (stock, trx, { orderId }) => stock.release(trx, orderId),
    remote: ({ orderId }) => inventory.remote.release(orderId),
  })

type Told = { data: Readonly<Placing>; reason: Refusal | null }

async function announce(trx: Trx, { data: { orderId, userId, lines, fromCart } }: { data: Readonly<Placing> }) {
  await orderPlaced(trx, await lockOrder(trx, orderId))
  if (fromCart) await takeOrdered(trx, userId, lines)
  return { placed: true }
}

async function confirmOrder(trx: Trx, { data: { orderId } }: { data: Readonly<Placing> }) {
  await lockOrder(trx, orderId)
  await updateOrder(trx, orderId, { status: 'confirmed' })
  const { order } = await getOrder(trx, orderId)
  await updateOrder(trx, orderId, { status: 'confirmed', response: { status: 201, body: shown(order) } })
  await orderConfirmed(trx, order)
}

async function rejectOrder(trx: Trx, { data: { orderId, placed }, reason }: Told) {
  const refusal = reason ?? { code: 'order-cancelled', message: 'the order was cancelled' }
  const order = await lockOrder(trx, orderId)
  await updateOrder(trx, orderId, {
    status: 'cancelled',
    cancelReason: refusal.code,
    response: refusedResponse(orderId, refusal),
  })
  if (placed) await orderCancelled(trx, order, refusal.code)
  return { paymentToken: null }
}
