import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { World } from './world.ts'

/** Slow enough that a busy machine keeps up: the lag must stay under the interlock's second. */
const PACE_MS = 40

/**
 * The fence fires after the row is in, so on the closed side a sequence that stands behind collides first: rejected all
 * the same. On an open side a collision is what rule 19 forbids.
 */
async function rejected(pool: World['db']['shop'], error: unknown): Promise<boolean> {
  const { code } = error as { code?: string }
  if (code !== '23505') return code === 'BN001'
  const { rows } = await pool.query("select closed from banyan.fence where context = 'goods'")
  return rows[0].closed
}

/**
 * Writers that know nothing of ownership: they write to one database until its fence rejects them, then to the other.
 * What was acknowledged is remembered here, outside of everything that is tested.
 */
export function startWriters(world: World, count = 2) {
  const acknowledged = new Map<string, number | 'deleted'>()
  const unexpected: unknown[] = []
  const other = (pool: World['db']['shop']) => (pool === world.db.shop ? world.db.goods : world.db.shop)
  let running = true
  let accepted = 0
  const writer = async () => {
    let pool = world.db.shop
    const mine: string[] = []
    while (running) {
      const dice = Math.random()
      const known = mine[Math.floor(Math.random() * mine.length)]
      try {
        if (known === undefined || dice < 0.5) {
          const sku = randomUUID()
          await pool.query('insert into products (sku, price) values ($1, 1)', [sku])
          acknowledged.set(sku, 1)
          mine.push(sku)
        } else if (dice < 0.85) {
          const price = Math.floor(Math.random() * 1e6)
          const { rowCount } = await pool.query('update products set price = $2 where sku = $1', [known, price])
          // The closed side may not have the row yet: nothing was written, and nothing is acknowledged.
          if (rowCount === 0) pool = other(pool)
          else acknowledged.set(known, price)
        } else {
          const { rowCount } = await pool.query('delete from products where sku = $1', [known])
          if (rowCount === 0) pool = other(pool)
          else {
            acknowledged.set(known, 'deleted')
            mine.splice(mine.indexOf(known), 1)
          }
        }
        accepted++
      } catch (error) {
        if (await rejected(pool, error)) pool = other(pool)
        else unexpected.push(error)
      }
      await sleep(PACE_MS)
    }
  }
  const loops = Array.from({ length: count }, writer)
  return {
    accepted: () => accepted,
    /** Every acknowledged write is on the owner's side, no deleted row is back (I2 and I4). Call it when stopped. */
    async check(): Promise<void> {
      const { owner } = await world.stored()
      const { rows } = await world.db[owner === 'monolith' ? 'shop' : 'goods'].query<{ sku: string; price: number }>(
        "select sku, price from products where sku not like 'sku-%'",
      )
      const held = new Map(rows.map((row) => [row.sku, row.price]))
      const wrong = [...acknowledged].filter(([sku, price]) =>
        price === 'deleted' ? held.has(sku) : held.get(sku) !== price,
      )
      expect(wrong.map(([sku, price]) => ({ sku, told: price, held: held.get(sku) }))).toEqual([])
      expect(held.size).toBe([...acknowledged.values()].filter((price) => price !== 'deleted').length)
      expect(unexpected).toEqual([])
    },
    async stop(): Promise<void> {
      running = false
      await Promise.all(loops)
    },
  }
}

/** Never two sides accept application writes (I1), whatever has just been killed. */
export async function expectOneOpenAtMost(world: World): Promise<void> {
  const closed = async (pool: World['db']['shop']) =>
    (await pool.query("select closed from banyan.fence where context = 'goods'")).rows[0].closed
  const [shop, goods] = await Promise.all([closed(world.db.shop), closed(world.db.goods)])
  expect(shop || goods).toBe(true)
}
