import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createWorld, until, type World } from './testing/world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld({ rows: 3_000 })
})
afterAll(() => world.drop())

const both = async (table: string) => {
  const text = `select coalesce(json_agg(t order by 1)::text, '[]') as rows from (select * from public.${table} order by 1) t`
  const [shop, goods] = await Promise.all([world.db.shop.query(text), world.db.goods.query(text)])
  return { shop: shop.rows[0].rows, goods: goods.rows[0].rows }
}

it('a context lives its whole life: prepared, copied, verified, switched, rolled back, switched, completed', async () => {
  world.start()
  expect(await world.ask('prepare')).toMatchObject({ state: 'done' })
  expect((await world.stored()).phase).toBe('prepared')
  expect(await world.ask('backfill')).toMatchObject({ state: 'done' })
  await world.db.shop.query(
    'update products set price = price + 1 where id <= 100; delete from stock where product_id = 5',
  )
  const captured = "select from banyan.changes where tbl in ('public.products', 'public.stock')"
  await until('each change to be proven, and purged', 20_000, async () => {
    return (await world.db.shop.query(captured)).rowCount === 0
  })
  expect(await world.ask('verify')).toMatchObject({ state: 'done' })
  expect(await world.stored()).toMatchObject({ phase: 'ready', owner: 'monolith' })

  expect(await world.ask('switch')).toMatchObject({ state: 'done' })
  expect(await world.stored()).toMatchObject({ phase: 'switched', owner: 'service', hold: false, step: null })
  // What makes a client of the former owner a 421, and not a 503 for ever.
  await expect(world.db.shop.query('update products set price = 0 where id = 1')).rejects.toMatchObject({
    code: 'BN001',
    detail: 'context=goods owner=service',
  })
  await world.db.goods.query(
    "insert into products (sku, price) values ('made at the service', 7); delete from products where id = 2000",
  )

  expect(await world.ask('rollback')).toMatchObject({ state: 'done' })
  expect(await world.stored()).toMatchObject({ phase: 'ready', owner: 'monolith' })
  expect((await world.db.shop.query("select 1 from products where sku = 'made at the service'")).rowCount).toBe(1)
  await expect(world.db.goods.query('update products set price = 0 where id = 1')).rejects.toMatchObject({
    code: 'BN001',
    detail: 'context=goods owner=monolith',
  })
  await until(
    'the foreign key to be back',
    10_000,
    async () =>
      (
        await world.db.shop.query(
          "select from pg_constraint where conname = 'order_items_product_id_fkey' and convalidated",
        )
      ).rowCount,
  )
  await world.db.shop.query("insert into products (sku, price) values ('made at the monolith', 8)")

  expect(await world.ask('verify')).toMatchObject({ state: 'done' })
  expect(await world.ask('switch')).toMatchObject({ state: 'done' })
  await world.db.goods.query("insert into products (sku, price) values ('again', 9)")
  expect(await world.ask('verify')).toMatchObject({ state: 'done' })
  for (const table of ['products', 'stock']) {
    const { shop, goods } = await both(table)
    expect(shop).toBe(goods)
  }
  // The service is written to all the while, and the reverse lane looks for each row: that reads no old table.
  const traffic = new AbortController()
  const writing = (async () => {
    for (let n = 1; !traffic.signal.aborted; n += 1) {
      await world.db.goods.query('update products set price = $1 where id = 7', [n])
      await sleep(20)
    }
  })()
  expect(await world.ask('complete', { confirm: 'goods', quietSeconds: 0 })).toMatchObject({ state: 'done' })
  traffic.abort()
  await writing
  expect((await world.stored()).phase).toBe('completed')
  expect(
    (
      await world.db.shop.query(
        "select from pg_class c join pg_namespace n on n.oid = c.relnamespace where nspname = 'retired' and relname = 'products'",
      )
    ).rowCount,
  ).toBe(1)
  await world.db.goods.query('update products set price = 1 where id = 1')
})
