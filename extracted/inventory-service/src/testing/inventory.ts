import knex, { type Knex } from 'knex'
import { startTestService, type TestService } from '../../../../kit/service/testing/test-service.ts'
import type { PrivateKey } from '../../../../tests/support/keys.ts'
import { configSchema, startInventoryService } from '../service.ts'

export type TestInventory = TestService<Knex> & { addProduct(sku: string, available: number): Promise<number> }

/**
 * Starts the service in this process on a database of its own, with the schema and a category `kitchen`.
 * @param options.callerKey the key the monolith signs with; a new one unless given
 * @param options.env variables that differ
 */
export async function startTestInventory(
  options: { callerKey?: PrivateKey; env?: Record<string, string> } = {},
): Promise<TestInventory> {
  const service = await startTestService<typeof configSchema, Knex>({
    name: 'inventory-service',
    database: 'inventory',
    context: 'inventory',
    schema: configSchema,
    start: startInventoryService,
    connect: knex,
    ...options,
  })
  const { db } = service
  await db('categories').insert({ slug: 'kitchen', name: 'Kitchen', position: 1 })
  return {
    ...service,
    async addProduct(sku, available) {
      const [row] = await db('products')
        .insert({ sku, name: `Kettle ${sku}`, category_id: db('categories').select('id').first(), price_cents: 1_999 })
        .returning('id')
      await db('stock').insert({ product_id: row.id, available })
      return row.id
    },
  }
}
