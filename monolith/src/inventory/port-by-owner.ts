import { ownerOf } from '@banyan/kit/ownership'
import { refusal } from '@banyan/kit/service'
import type { Knex } from 'knex'
import type { InventoryPort, LocalInventory, RemoteInventory } from './port.ts'
import { lookupProducts } from './products.ts'
import { confirm, release, reserve } from './reservations.ts'
import { CONTEXT, SIDE } from './side.ts'

/**
 * Inventory here while this side owns it, at the service from then on.
 * @param options.reservationSeconds how long a reservation holds when the order does not say
 */
export function createInventoryPort(options: {
  db: Knex
  remote: RemoteInventory
  reservationSeconds: number
}): InventoryPort {
  const { db, remote, reservationSeconds } = options
  const local: LocalInventory = {
    reserve: (trx, request) => reserve(trx, request, reservationSeconds),
    confirm,
    release: (trx, orderId) => release(trx, orderId),
  }
  return {
    async here(trx) {
      const { owner } = await ownerOf(trx, CONTEXT)
      if (owner === 'moving') throw refusal(CONTEXT, owner, SIDE)
      return owner === SIDE ? local : undefined
    },
    remote,
    async lookup(ids) {
      if (ids.length === 0) return []
      const found = await db.transaction(async (trx) => {
        const { owner } = await ownerOf(trx, CONTEXT)
        // In the instant of a switch nobody may write, and the tables here hold what the other side holds: good to read.
        return owner === SIDE || owner === 'moving' ? lookupProducts(trx, ids) : undefined
      })
      return found ?? remote.lookup(ids)
    },
  }
}
