import type { Knex } from 'knex'
import { catalogue } from './catalogue/generate.ts'

/** Fills the shelves; what is there already, by slug or SKU, stays as it is. */
export async function up(knex: Knex): Promise<void> {
  const { categories, products } = catalogue()
  await knex.raw(
    `insert into categories (slug, name, position)
     select c->>'slug', c->>'name', at from jsonb_array_elements(?::jsonb) with ordinality as list (c, at)
     on conflict (slug) do nothing`,
    [JSON.stringify(categories)],
  )
  await knex.raw(
    `with given as (
       select * from jsonb_to_recordset(?::jsonb) as p
         (sku text, name text, description text, category text, "priceCents" int, available int)
     ), added as (
       insert into products (sku, name, description, category_id, price_cents)
       select g.sku, g.name, g.description, c.id, g."priceCents"
       from given g join categories c on c.slug = g.category order by g.sku
       on conflict (sku) do nothing returning id, sku
     )
     insert into stock (product_id, available) select a.id, g.available from added a join given g on g.sku = a.sku`,
    [JSON.stringify(products)],
  )
}

/** Takes away what nobody has ordered. */
export async function down(knex: Knex): Promise<void> {
  await knex.raw(`delete from products where not exists (
    select from reservations r where r.lines @> jsonb_build_array(jsonb_build_object('productId', products.id)))`)
}
