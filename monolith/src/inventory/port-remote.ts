import { type Caller, createRemoteCall, nowhere } from '@banyan/kit/service'
import type { RemoteInventory } from './port.ts'
import type { ProductSummary } from './products.ts'
import type { Reservation } from './reservation.ts'
import { CONTEXT } from './side.ts'

/**
 * Inventory over HTTP: what it refuses is thrown as the same Problem, and of a call without an answer the code says
 * what to assume, `inventory-unreachable` or `inventory-unclear`. Every call is idempotent by order.
 * @param options.deadlineMs for one call with its retries; unless told 2,000, and 5,000 for a read
 */
export function createRemoteInventory(options: { caller: Caller; deadlineMs?: number }): RemoteInventory {
  const call = createRemoteCall({ context: CONTEXT, ...options })
  return {
    reserve: (request) =>
      call<Reservation>('reserve', {
        path: '/internal/reservations',
        body: request,
        idempotencyKey: `reserve-${request.orderId}`,
      }),
    confirm: (orderId) =>
      call<Reservation>('confirm', {
        path: `/internal/reservations/${orderId}/confirm`,
        idempotencyKey: `confirm-${orderId}`,
      }),
    release: (orderId) =>
      call<Reservation>('release', {
        path: `/internal/reservations/${orderId}/release`,
        idempotencyKey: `release-${orderId}`,
      }),
    async lookup(ids) {
      if (ids.length === 0) return []
      // A read, only too long for a URL: it may be sent again under any key.
      const found = await call<{ items: ProductSummary[] }>('lookup', {
        path: '/internal/products/lookup',
        body: { ids, owned: true },
        idempotencyKey: 'lookup',
        read: true,
      })
      return found.items
    },
  }
}

/** Stands where no service is configured: the shop as one process owns inventory itself and never comes here. */
export function noRemoteInventory(): RemoteInventory {
  const unreachable = nowhere(CONTEXT, 'INVENTORY_SERVICE_URL')
  return { reserve: unreachable, confirm: unreachable, release: unreachable, lookup: unreachable }
}
