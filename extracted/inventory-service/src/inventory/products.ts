import { ownerOf, requireOwner } from '@banyan/kit/ownership'
import { problem, refusal } from '@banyan/kit/service'
import type { Knex } from 'knex'
import { productChanged, productDeleted } from './events.ts'
import type { NewProduct, ProductPatch, StockAdjustment } from './schemas.ts'
import { CONTEXT, SIDE } from './side.ts'

export type Product = {
  id: number
  sku: string
  name: string
  description: string
  priceCents: number
  category: { slug: string; name: string }
  stock: { available: number }
  createdAt: string
  updatedAt: string
}

/** What carts and orders may know of a product. */
export type ProductSummary = { id: number; sku: string; name: string; priceCents: number; available: number }

export type ProductRow = {
  id: number
  sku: string
  name: string
  description: string
  price_cents: number
  category_slug: string
  category_name: string
  available: number
  created_at: Date
  updated_at: Date
}

/** The columns of a ProductRow, from `products p`, `categories c` and `stock s`. */
export const PRODUCT_COLUMNS = `p.id, p.sku, p.name, p.description, p.price_cents, c.slug as category_slug,
  c.name as category_name, s.available, p.created_at, p.updated_at`
export const PRODUCT_TABLES = `products p join categories c on c.id = p.category_id join stock s on s.product_id = p.id`

export const toProduct = (row: ProductRow): Product => ({
  id: row.id,
  sku: row.sku,
  name: row.name,
  description: row.description,
  priceCents: row.price_cents,
  category: { slug: row.category_slug, name: row.category_name },
  stock: { available: row.available },
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
})

/** @throws Problem 404 product-not-found */
export async function getProduct(db: Knex, id: number): Promise<Product> {
  const { rows } = await db.raw<{ rows: ProductRow[] }>(
    `select ${PRODUCT_COLUMNS} from ${PRODUCT_TABLES} where p.id = ?`,
    [id],
  )
  if (!rows[0]) throw notFound(id)
  return toProduct(rows[0])
}

/** Names and prices by id, in the order of the ids; unknown ids are absent. */
export async function lookupProducts(db: Knex, ids: readonly number[]): Promise<ProductSummary[]> {
  const { rows } = await db.raw<{ rows: (Omit<ProductSummary, 'priceCents'> & { price_cents: number })[] }>(
    `select p.id, p.sku, p.name, p.price_cents, s.available
     from products p join stock s on s.product_id = p.id where p.id = any(?::bigint[]) order by p.id`,
    [[...ids]],
  )
  return rows.map(({ price_cents, ...row }) => ({
    id: row.id,
    sku: row.sku,
    name: row.name,
    priceCents: price_cents,
    available: row.available,
  }))
}

/**
 * The same, told by the owner alone: the copy here may lag behind the other side, and would deny a product made a moment
 * ago or name its former price. While inventory moves away from here nobody can be ahead of the copy.
 * @throws Problem 421 not-owner
 */
export function ownedProducts(db: Knex, ids: readonly number[]): Promise<ProductSummary[]> {
  return db.transaction(async (trx) => {
    const { owner } = await ownerOf(trx, CONTEXT)
    if (owner !== SIDE && owner !== 'moving') throw refusal(CONTEXT, owner, SIDE)
    return lookupProducts(trx, ids)
  })
}

/** @throws Problem 422 unknown-category, 409 sku-taken */
export async function createProduct(db: Knex, product: NewProduct): Promise<Product> {
  return write(db, async (trx) => {
    const category = await categoryId(trx, product.category)
    const { rows } = await trx.raw<{ rows: { id: number }[] }>(
      `insert into products (sku, name, description, category_id, price_cents) values (?, ?, ?, ?, ?)
       on conflict (sku) do nothing returning id`,
      [product.sku, product.name, product.description, category, product.priceCents],
    )
    if (!rows[0]) throw skuTaken(product.sku)
    await trx('stock').insert({ product_id: rows[0].id, available: product.available, reserved: 0 })
    return changed(trx, rows[0].id, 'created')
  })
}

/** @throws Problem 404 product-not-found, 422 unknown-category, 409 sku-taken */
export async function updateProduct(db: Knex, id: number, patch: ProductPatch): Promise<Product> {
  return write(db, async (trx) => {
    await lockProduct(trx, id)
    const { category, priceCents, ...same } = patch
    try {
      await trx('products')
        .where({ id })
        .update({
          ...same,
          ...(priceCents === undefined ? {} : { price_cents: priceCents }),
          ...(category === undefined ? {} : { category_id: await categoryId(trx, category) }),
          updated_at: trx.fn.now(),
        })
    } catch (error) {
      if (sqlState(error) === UNIQUE_VIOLATION) throw skuTaken(patch.sku ?? '')
      throw error
    }
    return changed(trx, id, 'updated')
  })
}

/**
 * Deletes a product that nobody has ever ordered; others stay, for the sake of those orders.
 * @throws Problem 404 product-not-found, 409 product-in-use
 */
export async function deleteProduct(db: Knex, id: number): Promise<void> {
  await write(db, async (trx) => {
    const product = await lockProduct(trx, id)
    const { rows } = await trx.raw<{ rows: { used: boolean }[] }>(
      'select exists (select from reservations where lines @> ?::jsonb) as used',
      [JSON.stringify([{ productId: id }])],
    )
    if (rows[0]?.used) throw inUse(id)
    try {
      await trx('products').where({ id }).delete()
    } catch (error) {
      if (sqlState(error) === FOREIGN_KEY_VIOLATION) throw inUse(id)
      throw error
    }
    await productDeleted(trx, product)
  })
}

/** @throws Problem 404 product-not-found, 409 stock-below-zero | stock-above-limit */
export async function adjustStock(db: Knex, id: number, { delta }: StockAdjustment): Promise<Product> {
  return write(db, async (trx) => {
    await lockProduct(trx, id)
    const fits =
      delta < 0
        ? trx.raw('available >= ?', [-delta])
        : trx.raw('available::bigint + reserved + ? <= ?', [delta, MOST_UNITS])
    const done = await trx('stock')
      .where({ product_id: id })
      .andWhere(fits)
      .update({ available: trx.raw('available + ?', [delta]), updated_at: trx.fn.now() })
    if (done === 0) throw delta < 0 ? belowZero(delta) : aboveLimit(delta)
    return changed(trx, id, 'stock-adjusted')
  })
}

/**
 * Units of a product, those that orders hold among them. The columns end at 2,147,483,647: more than half of that is left
 * for what orders bring back, which cannot be refused.
 */
const MOST_UNITS = 1_000_000_000
const UNIQUE_VIOLATION = '23505'
const FOREIGN_KEY_VIOLATION = '23503'
const sqlState = (error: unknown) => (error as { code?: string }).code

const notFound = (id: number) => problem(404, 'product-not-found', `there is no product ${id}`)
const inUse = (id: number) =>
  problem(409, 'product-in-use', `product ${id} has been ordered; set its stock to 0 instead`)
const belowZero = (delta: number) =>
  problem(409, 'stock-below-zero', `taking ${-delta} away would leave less than nothing; ask for less`)
const aboveLimit = (delta: number) =>
  problem(409, 'stock-above-limit', `with ${delta} more there would be over ${MOST_UNITS} of this product; add less`)
const skuTaken = (sku: string) => problem(409, 'sku-taken', `another product has the SKU ${sku}`)

const write = <T>(db: Knex, work: (trx: Knex.Transaction) => Promise<T>): Promise<T> =>
  db.transaction(async (trx) => {
    await requireOwner(trx, CONTEXT, SIDE)
    return work(trx)
  })

/** Product first, stock second: the same order in every transaction that locks both. */
async function lockProduct(trx: Knex.Transaction, id: number): Promise<{ id: number; sku: string }> {
  const product = await trx<{ id: number; sku: string }>('products').where({ id }).forUpdate().first('id', 'sku')
  if (!product) throw notFound(id)
  await trx('stock').where({ product_id: id }).forUpdate().first('product_id')
  return product
}

async function categoryId(trx: Knex.Transaction, slug: string): Promise<number> {
  const category = await trx<{ id: number; slug: string }>('categories').where({ slug }).first('id')
  if (!category) throw problem(422, 'unknown-category', `there is no category ${slug}; see /api/categories`)
  return category.id
}

async function changed(trx: Knex.Transaction, id: number, change: 'created' | 'updated' | 'stock-adjusted') {
  const product = await getProduct(trx, id)
  await productChanged(trx, product, change)
  return product
}
