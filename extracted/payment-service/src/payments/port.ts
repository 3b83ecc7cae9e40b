import type { PaymentStatus } from './payment.ts'

/** What an order asks of payments. `orderId` makes each of them idempotent. */
export type ChargeRequest = { orderId: number; userId: number; amountCents: number; token: string }
export type CancelRequest = { orderId: number; userId: number }

/** How the order's payment stands. */
export type Charge = {
  paymentId: number
  orderId: number
  status: PaymentStatus
  amountCents: number
  refundedCents: number
}

/**
 * How orders reach payments, wherever they live. Both make a call to the provider, or to another process: no
 * transaction may be open. Both are repeatable by order id, also at the other side once payments have moved there: the
 * intent is a row that moves, and the provider knows the charge by a key that is the order's.
 *
 * - `charge` throws Problem 402 `payment-declined`, 409 `payment-cancelled` (a cancellation overtook it), 409
 *   `charge-differs` (the order asked for another amount, or with another token). Any other error leaves the outcome
 *   unknown, `payment-unclear` (504) among them: ask again, or cancel.
 * - `cancel` ends in a payment that holds nothing and never will, whatever became of the charge; of an order never
 *   charged it leaves a tombstone, so that a charge which it has overtaken is refused. It refuses nothing.
 */
export type PaymentsPort = {
  charge(request: ChargeRequest): Promise<Charge>
  cancel(request: CancelRequest): Promise<Charge>
}
