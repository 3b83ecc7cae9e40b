import { type Caller, createRemoteCall } from '@banyan/kit/service'
import type { InventoryPort, ProductSummary } from '../orders/ports.ts'

/**
 * Inventory by HTTP. What it refuses is thrown as the same Problem; of a call without an answer the code says what to
 * assume, `inventory-unreachable` or `inventory-unclear`. Every key is the order's own, so a repetition is no second act.
 */
export function createInventory(caller: Caller): InventoryPort {
  const call = createRemoteCall({ context: 'inventory', caller })
  const change = (operation: 'confirm' | 'release') => (orderId: number) =>
    call(operation, {
      path: `/internal/reservations/${orderId}/${operation}`,
      idempotencyKey: `${operation}-${orderId}`,
    })
  return {
    here: async () => undefined,
    remote: {
      reserve: (request) =>
        call('reserve', {
          path: '/internal/reservations',
          body: request,
          idempotencyKey: `reserve-${request.orderId}`,
        }),
      confirm: change('confirm'),
      release: change('release'),
    },
    async lookup(ids) {
      if (ids.length === 0) return []
      // A read, only too long for a URL: it may be sent again under any key.
      const request = { path: '/internal/products/lookup', body: { ids }, idempotencyKey: 'lookup', read: true }
      return (await call<{ items: ProductSummary[] }>('lookup', request)).items
    },
  }
}
