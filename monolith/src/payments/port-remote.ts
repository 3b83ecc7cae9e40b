import { type Caller, createRemoteCall, nowhere } from '@banyan/kit/service'
import type { Charge, PaymentsPort } from './port.ts'
import { CONTEXT } from './side.ts'

/**
 * Payments over HTTP; both calls are idempotent by order, so that an unclear one may be asked again.
 * @param options.deadlineMs for one call with its retries; 2,000 unless told: the service itself waits a second for the
 *   provider
 */
export const createRemotePayments = (options: { caller: Caller; deadlineMs?: number }): PaymentsPort => {
  const call = createRemoteCall({ context: CONTEXT, ...options })
  return {
    charge: (request) =>
      call<Charge>('charge', {
        path: '/internal/charges',
        body: request,
        idempotencyKey: `charge-${request.orderId}`,
      }),
    cancel: ({ orderId, userId }) =>
      call<Charge>('cancel', {
        path: `/internal/charges/${orderId}/cancel`,
        body: { userId },
        idempotencyKey: `cancel-${orderId}`,
      }),
  }
}

/** Stands where no service is configured: the shop as one process owns payments itself and never comes here. */
export const noRemotePayments = (): PaymentsPort => {
  const unreachable = nowhere(CONTEXT, 'PAYMENT_SERVICE_URL')
  return { charge: unreachable, cancel: unreachable }
}
