/** Where the money of one order stands. Amounts in cents. */
export type PaymentStatus = 'pending' | 'captured' | 'declined' | 'voided' | 'refunded'

export type PaymentState = { status: PaymentStatus; amountCents: number; refundedCents: number }

/** What the provider says of a charge. */
export type ProviderState = { status: 'approved' | 'declined' | 'voided'; amountCents: number; refundedCents: number }

/** Written before the provider is asked, so that a kill cannot make anybody forget the question. */
export const authorize = (amountCents: number): PaymentState => ({ status: 'pending', amountCents, refundedCents: 0 })

/** A cancellation that came before any charge: whoever wants to charge later finds it and is refused. */
export const voidUnasked = (): PaymentState => ({ status: 'voided', amountCents: 0, refundedCents: 0 })

/**
 * The provider took the money. Only a pending payment is waiting for that: the answer to a charge that was given up,
 * and refunded, may still arrive.
 */
export const capture = (payment: PaymentState): PaymentState =>
  payment.status === 'pending' ? { ...payment, status: 'captured' } : payment

/** The provider refused. */
export const decline = (payment: PaymentState): PaymentState =>
  payment.status === 'pending' ? { ...payment, status: 'declined' } : payment

/** The provider had heard of a cancellation first: the charge was not made, and never will be. */
export const voidOvertaken = (payment: PaymentState): PaymentState =>
  payment.status === 'pending' ? { ...payment, status: 'voided' } : payment

/** What is left of a payment and may still go back. */
export const refundable = (payment: PaymentState): number =>
  payment.status === 'captured' ? payment.amountCents - payment.refundedCents : 0

/** @throws RangeError for more than is left: the caller asks `refundable` first */
export const refund = (payment: PaymentState, cents: number): PaymentState => {
  if (cents > refundable(payment)) throw new RangeError(`refund of ${cents} cents, ${refundable(payment)} are left`)
  const refundedCents = payment.refundedCents + cents
  return { ...payment, refundedCents, status: refundedCents === payment.amountCents ? 'refunded' : 'captured' }
}

/** After a cancellation the provider's word counts, whatever we had heard of the charge before. */
export const cancelled = (payment: PaymentState, provider: ProviderState): PaymentState => {
  switch (provider.status) {
    case 'approved':
      return { ...payment, status: 'refunded', refundedCents: payment.amountCents }
    case 'declined':
      return { ...payment, status: 'declined' }
    case 'voided':
      return { ...payment, status: 'voided' }
  }
}
