import { problem } from '@banyan/kit/service'
import type { Knex } from 'knex'
import { lookupProducts } from './lookup.ts'
import type { InventoryPort } from './ports.ts'
import { writeOrders } from './store.ts'

type CartRow = { user_id: number; product_id: number; quantity: number; added_at: Date }

const MOST_ITEMS = 100

/** The cart with today's names and prices. What nobody sells any more is not in it. */
export const getCart = async (db: Knex, inventory: InventoryPort, userId: number) => {
  const rows = await cartLines(db, userId)
  const products = await lookupProducts(
    inventory,
    rows.map((row) => row.productId),
  )
  const items = rows.flatMap(({ productId, quantity }) => {
    const product = products.get(productId)
    if (!product) return []
    const { name, priceCents, available } = product
    return [{ productId, name, priceCents, quantity, available }]
  })
  return { items, totalCents: items.reduce((sum, item) => sum + item.priceCents * item.quantity, 0) }
}

export const cartLines = async (db: Knex, userId: number): Promise<{ productId: number; quantity: number }[]> => {
  const rows = await db<CartRow>('cart_items').where({ user_id: userId }).orderBy('added_at').orderBy('product_id')
  return rows.map((row) => ({ productId: row.product_id, quantity: row.quantity }))
}

/**
 * Puts a product into the cart, or changes how many of it are there.
 * @throws Problem 404 product-not-found, 422 cart-full
 */
export const setCartItem = async (
  db: Knex,
  inventory: InventoryPort,
  { userId, productId, quantity }: { userId: number; productId: number; quantity: number },
): Promise<void> => {
  if (!(await lookupProducts(inventory, [productId])).has(productId)) throw noProduct(productId)
  await writeOrders(db, async (trx) => {
    // Locks the cart: of two requests at once the second counts what the first has put in.
    await trx('carts').insert({ user_id: userId }).onConflict('user_id').merge({ updated_at: trx.fn.now() })
    const others = await trx('cart_items')
      .where({ user_id: userId })
      .whereNot({ product_id: productId })
      .count('* as n')
    if (Number(others[0]?.n) >= MOST_ITEMS)
      throw problem(422, 'cart-full', `a cart holds at most ${MOST_ITEMS} products; remove one first`)
    await trx('cart_items')
      .insert({ user_id: userId, product_id: productId, quantity })
      .onConflict(['user_id', 'product_id'])
      .merge({ quantity })
  }).catch((error) => {
    // Deleted between our look and our write.
    if (error?.code === '23503') throw noProduct(productId)
    throw error
  })
}

export const removeCartItem = (db: Knex, userId: number, productId: number): Promise<void> =>
  writeOrders(db, async (trx) => {
    await trx('cart_items').where({ user_id: userId, product_id: productId }).delete()
  })

/** Takes what was ordered out of the cart; what was put in while the order was on its way stays. */
export const takeOrdered = async (
  trx: Knex.Transaction,
  userId: number,
  lines: readonly { productId: number; quantity: number }[],
): Promise<void> => {
  const ordered = new Map(lines.map(({ productId, quantity }) => [productId, quantity]))
  // Locked, or what is put in between our look and our delete were lost; in one order, or two orders would deadlock.
  const items = await trx<CartRow>('cart_items')
    .where({ user_id: userId })
    .whereIn('product_id', [...ordered.keys()])
    .orderBy('product_id')
    .forUpdate()
  for (const { product_id, quantity } of items) {
    const item = trx('cart_items').where({ user_id: userId, product_id })
    const left = quantity - ordered.get(product_id)!
    await (left > 0 ? item.update({ quantity: left }) : item.delete())
  }
}

/** Takes a product that nobody sells any more out of every cart: what the foreign key did while both lived here. */
export const forgetProduct = async (trx: Knex.Transaction, productId: number): Promise<void> => {
  await trx('cart_items').where({ product_id: productId }).delete()
}

const noProduct = (id: number) => problem(404, 'product-not-found', `there is no product ${id}`)
