import { type Owner, ownerOf } from '@banyan/kit/ownership'
import { isRefused, Problem, refusal } from '@banyan/kit/service'
import type { Knex } from 'knex'
import type { InventoryPort, LocalInventory, ProductSummary, RemoteInventory } from './port.ts'
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
      const { owner, here } = await look(db, ids)
      if (owner === SIDE && here) return here
      try {
        return await remote.lookup(ids)
      } catch (error) {
        // In the instant of a switch: until the service has been opened it refuses, and the copy here is whole. Once it
        // has, a price changed there is not here yet. Where it does not answer, the copy has to do.
        if (owner === 'moving' && here && (isRefused(error) || isUnanswered(error))) return here
        // It came back between our look and our question; a second look sees it.
        const again = isRefused(error) ? await look(db, ids) : undefined
        if (!again?.here) throw error
        return again.here
      }
    },
  }
}

type Look = { owner: Owner['owner']; here: ProductSummary[] | undefined }

/** The owner is read under its share lock, together with the rows here; the service is asked when that has ended. */
const look = (db: Knex, ids: readonly number[]): Promise<Look> =>
  db.transaction(async (trx) => {
    const { owner } = await ownerOf(trx, CONTEXT)
    return { owner, here: owner === 'service' ? undefined : await lookupProducts(trx, ids) }
  })

const isUnanswered = (error: unknown): boolean => error instanceof Problem && error.status >= 500
