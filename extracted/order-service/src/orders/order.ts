import { createHash } from 'node:crypto'
import type { Address } from '../address.ts'
import type { Customer } from './ports.ts'
import type { OrderRequest } from './schemas.ts'

/** pending: its saga is on its way · shipped: no longer to be cancelled · cancelling: money and stock are going back. */
export type OrderStatus = 'pending' | 'confirmed' | 'shipped' | 'cancelling' | 'cancelled'

export type OrderLine = { productId: number; name: string; priceCents: number; quantity: number }

export type Order = {
  id: number
  userId: number
  status: OrderStatus
  totalCents: number
  items: OrderLine[]
  customer: Customer
  shippingAddress: Address
  cancelReason: string | null
  createdAt: string
  updatedAt: string
}

/** What a request to place an order was, or will be, answered with. */
export type StoredResponse = { status: number; body: Record<string, unknown> }

/** Why an order did not come about. `detail` may carry the status and the members of the callee's problem. */
export type Refusal = { code: string; message: string; detail?: unknown }

/** An order as its customer sees it. */
export const shown = ({ userId: _userId, customer: _customer, ...order }: Order) => order

/** Two requests under one key are the same request if, and only if, their fingerprints are equal. */
export const fingerprint = ({ items, paymentToken, shippingAddress }: OrderRequest): string => {
  const lines = items && mergeLines(items).map((line) => [line.productId, line.quantity])
  const address = Object.entries(shippingAddress)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256')
    .update(JSON.stringify([lines ?? 'cart', paymentToken, address]))
    .digest('hex')
}

/** One line a product, in the order of the ids. */
export const mergeLines = <Line extends { productId: number; quantity: number }>(lines: readonly Line[]): Line[] => {
  const merged = new Map<number, Line>()
  for (const line of lines) {
    const earlier = merged.get(line.productId)
    merged.set(line.productId, { ...line, quantity: line.quantity + (earlier?.quantity ?? 0) })
  }
  return [...merged.values()].sort((a, b) => a.productId - b.productId)
}

export const totalOf = (lines: readonly OrderLine[]): number =>
  lines.reduce((sum, line) => sum + line.priceCents * line.quantity, 0)

/** The answer to a request whose order did not come about, the same on every repetition. */
export const refusedResponse = (orderId: number, refusal: Refusal): StoredResponse => {
  const { members } = (refusal.detail ?? {}) as { members?: Record<string, unknown> }
  const status = { 'payment-declined': 402, 'unknown-product': 422 }[refusal.code] ?? 409
  const direct = status !== 409 || refusal.code === 'out-of-stock'
  const code = direct ? refusal.code : 'order-cancelled'
  return { status, body: { code, detail: refusal.message, orderId, ...members } }
}
