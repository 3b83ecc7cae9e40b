import { Problem } from '@banyan/kit/service'
import type { Knex } from 'knex'
import type { InventoryPort, ProductSummary } from '../inventory/port.ts'

/** Names and prices of products, from wherever inventory lives; what nobody sells any more is absent. */
export const lookupProducts = async (
  db: Knex,
  inventory: InventoryPort,
  ids: readonly number[],
): Promise<Map<number, ProductSummary>> => {
  if (ids.length === 0) return new Map()
  const local = await db.transaction(async (trx) =>
    (await readableHere(inventory, trx)) ? inventory.local.lookup(trx, ids) : undefined,
  )
  const products = local ?? (await inventory.remote.lookup(ids))
  return new Map(products.map((product) => [product.id, product]))
}

/** In the instant of a switch nobody may write, while the tables here hold what the other side holds: good to read. */
const readableHere = async (inventory: InventoryPort, trx: Knex.Transaction): Promise<boolean> => {
  try {
    return (await inventory.side(trx)) === 'local'
  } catch (error) {
    if (error instanceof Problem && error.code === 'fenced') return true
    throw error
  }
}
