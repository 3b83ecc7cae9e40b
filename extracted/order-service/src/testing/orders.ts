import { publicJwks } from '@banyan/kit/service'
import knex, { type Knex } from 'knex'
import { startTestService, type TestService } from '../../../../kit/service/testing/test-service.ts'
import { orderBody } from '../../../../monolith/src/testing/order.ts'
import { type Sandbox, startSandbox } from '../../../../monolith/src/testing/sandbox.ts'
import { startTestShop, type TestShop } from '../../../../monolith/src/testing/shop.ts'
import { newKey } from '../../../../tests/support/keys.ts'
import { configSchema, startOrderService } from '../service.ts'
import { type Door, openDoor } from './door.ts'

export type TestOrders = {
  service: TestService<Knex>
  /** What the service was told, for further processes of it. */
  env: Record<string, string>
  /** The monolith, which has everything but the orders. */
  shop: TestShop
  sandbox: Sandbox
  door: Door
  place(token: string, key: string, change?: object): ReturnType<TestService<Knex>['call']>
  /** Says on both sides whose the orders are. */
  setOwner(owner: 'monolith' | 'service'): Promise<void>
  close(): Promise<void>
}

/**
 * Starts the service in this process, the owner of orders, and beside it a shop that plays all the other contexts.
 * @param options.shopEnv variables of that shop that differ
 */
export async function startTestOrders(options: { shopEnv?: Record<string, string> } = {}): Promise<TestOrders> {
  const [sandbox, door] = await Promise.all([startSandbox(), openDoor()])
  const shop = await startTestShop({ ...sandbox.env, ...door.env, ...options.shopEnv })
  door.to = shop.url
  // Orders of its own, if it takes any, have numbers that the service's never meet.
  await shop.db.raw("select setval(pg_get_serial_sequence('orders', 'id'), 1000000)")
  const env = {
    INTERNAL_KEY: JSON.stringify(newKey('order-service')),
    JWT_JWKS: JSON.stringify(publicJwks(shop.config.JWT_KEYS)),
    INVENTORY_SERVICE_URL: door.url,
    PAYMENT_SERVICE_URL: door.url,
    USER_SERVICE_URL: door.url,
    ...(options.shopEnv?.AMQP_URL ? { AMQP_URL: options.shopEnv.AMQP_URL } : {}),
  }
  const service = await startTestService<typeof configSchema, Knex>({
    name: 'order-service',
    database: 'orders',
    context: 'orders',
    schema: configSchema,
    start: startOrderService,
    connect: knex,
    env,
  })
  const setOwner: TestOrders['setOwner'] = async (owner) => {
    for (const db of [shop.db, service.db])
      await db.raw("update banyan.owner set owner = ?, term = term + 1 where context = 'orders'", [owner])
  }
  await setOwner('service')
  return {
    service,
    env,
    shop,
    sandbox,
    door,
    setOwner,
    place: (token, key, change = {}) =>
      service.call('POST', '/api/orders', {
        token,
        headers: { 'idempotency-key': key },
        body: orderBody(change),
      }),
    async close() {
      await service.close()
      await shop.close()
      await Promise.all([door.close(), sandbox.close()])
    },
  }
}

const TABLES = ['carts', 'cart_items', 'orders', 'order_items', 'sagas']
const JSON_COLUMNS = new Set(['customer', 'shipping_address', 'response', 'data', 'steps', 'reason', 'history'])

/** What a move does, done by hand: one side's rows are put in the other's place, and its numbers go on after them. */
export async function carryOver(from: Knex, to: Knex): Promise<void> {
  for (const table of TABLES) {
    const rows: Record<string, unknown>[] = await from(table)
    const written = rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [
          name,
          JSON_COLUMNS.has(name) && value !== null ? JSON.stringify(value) : value,
        ]),
      ),
    )
    if (written.length > 0) await to(table).insert(written)
  }
  await to.raw("select setval(pg_get_serial_sequence('orders', 'id'), (select max(id) + 100 from orders))")
}
