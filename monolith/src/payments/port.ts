/** What an order asks of payments. `orderId` makes each of them idempotent. */
export type ChargeRequest = { orderId: number; userId: number; amountCents: number; token: string }

/**
 * How orders reach payments, wherever they live. Both make a call to the provider: no transaction may be open.
 *
 * - `charge` throws Problem 402 `payment-declined`, 409 `payment-cancelled` (a cancellation overtook it). Any other
 *   error leaves the outcome unknown: ask again, or cancel.
 * - `cancel` ends in a payment that holds nothing and never will, whatever became of the charge.
 */
export type PaymentsPort = {
  charge(request: ChargeRequest): Promise<{ paymentId: number }>
  cancel(request: { orderId: number; userId: number }): Promise<void>
}
