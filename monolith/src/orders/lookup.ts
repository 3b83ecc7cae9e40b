import type { InventoryPort, ProductSummary } from './ports.ts'

/** Names and prices of products by id, from wherever inventory lives; what nobody sells any more is absent. */
export const lookupProducts = async (
  inventory: InventoryPort,
  ids: readonly number[],
): Promise<Map<number, ProductSummary>> => {
  if (ids.length === 0) return new Map()
  return new Map((await inventory.lookup(ids)).map((product) => [product.id, product]))
}
