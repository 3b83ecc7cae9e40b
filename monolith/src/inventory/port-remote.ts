import { problem } from '@banyan/kit/service'
import type { RemoteInventory } from './port.ts'

/** Stands where no service is configured: the shop as one process owns inventory itself and never comes here. */
export function noRemoteInventory(): RemoteInventory {
  const unreachable = async () => {
    throw problem(
      503,
      'inventory-unreachable',
      'inventory has moved away, and INVENTORY_SERVICE_URL does not say where',
    )
  }
  return { reserve: unreachable, confirm: unreachable, release: unreachable, lookup: unreachable }
}
