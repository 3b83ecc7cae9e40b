import { type Caller, createRemoteCall } from '@banyan/kit/service'
import type { PaymentsPort } from '../orders/ports.ts'

/** Payments by HTTP; each call is idempotent by order, so that an unclear one may be asked again. */
export function createPayments(caller: Caller): PaymentsPort {
  const call = createRemoteCall({ context: 'payments', caller })
  return {
    charge: (request) =>
      call('charge', { path: '/internal/charges', body: request, idempotencyKey: `charge-${request.orderId}` }),
    cancel: ({ orderId, userId }) =>
      call('cancel', {
        path: `/internal/charges/${orderId}/cancel`,
        body: { userId },
        idempotencyKey: `cancel-${orderId}`,
      }),
  }
}
