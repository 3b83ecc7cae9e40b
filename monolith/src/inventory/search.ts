import type { Knex } from 'knex'
import { PRODUCT_COLUMNS, PRODUCT_TABLES, type Product, type ProductRow, toProduct } from './products.ts'
import type { ProductQuery } from './schemas.ts'

export type Page<T> = { items: T[]; page: number; size: number; total: number }

export type Category = { slug: string; name: string; products: number }

// The very expression of the index products_text; another would not use it.
const TEXT = `to_tsvector('english', p.name || ' ' || p.description)`

// Each ends with the id, so that pages never overlap; "C" makes both houses sort alike.
const ORDERS = {
  relevance: `ts_rank(${TEXT}, websearch_to_tsquery('english', :q)) desc, p.id`,
  name: 'p.name collate "C", p.id',
  price: 'p.price_cents, p.id',
  '-price': 'p.price_cents desc, p.id',
  newest: 'p.created_at desc, p.id desc',
}

/** Products whose name or description has the words of `q` (or whose SKU it is), a page at a time. */
export async function searchProducts(db: Knex, query: ProductQuery): Promise<Page<Product>> {
  const { q, category, page, size } = query
  const conditions = [
    ...(q === undefined ? [] : [`(${TEXT} @@ websearch_to_tsquery('english', :q) or p.sku = upper(:q))`]),
    ...(category === undefined ? [] : ['p.category_id = (select id from categories where slug = :category)']),
  ]
  const where = conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''
  const sort = query.sort ?? (q === undefined ? 'name' : 'relevance')
  const order = sort === 'relevance' && q === undefined ? ORDERS.name : ORDERS[sort]
  const bindings = { q: q ?? '', category: category ?? '', size, offset: (page - 1) * size }
  const count = `select count(*) as total from products p ${where}`
  // The ids of the page first, then what is shown of them: whole rows, joined and counted, took ten times as long.
  const { rows } = await db.raw<{ rows: Counted<ProductRow>[] }>(
    `select ${PRODUCT_COLUMNS}, found.total
     from (select p.id, (${count}) as total from products p ${where} order by ${order} limit :size offset :offset) found,
       ${PRODUCT_TABLES}
     where p.id = found.id order by ${order}`,
    bindings,
  )
  return { items: rows.map(toProduct), page, size, total: await totalOf(rows, page, () => db.raw(count, bindings)) }
}

/** All categories in the shop's own order, each with the number of its products. */
export async function listCategories(
  db: Knex,
  { page, size }: { page: number; size: number },
): Promise<Page<Category>> {
  const { rows } = await db.raw<{ rows: Counted<Category>[] }>(
    `select c.slug, c.name, (select count(*) from products p where p.category_id = c.id) as products,
       count(*) over () as total
     from categories c order by c.position, c.id limit ? offset ?`,
    [size, (page - 1) * size],
  )
  const items = rows.map(({ slug, name, products }) => ({ slug, name, products }))
  const count = 'select count(*) as total from categories'
  return { items, page, size, total: await totalOf(rows, page, () => db.raw(count)) }
}

type Counted<Row> = Row & { total: number }

/** Each row carries the total, which spares a second question; a page beyond the end has no row to carry it. */
async function totalOf(
  rows: readonly Counted<unknown>[],
  page: number,
  count: () => PromiseLike<{ rows: { total: number }[] }>,
): Promise<number> {
  if (rows[0]) return rows[0].total
  return page === 1 ? 0 : ((await count()).rows[0]?.total ?? 0)
}
