import { createSagaRunner, createSagaStore, createVirtualClock } from '@banyan/kit/saga'
import { databaseSettings, problem } from '@banyan/kit/service'
import knex, { type Knex } from 'knex'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createMigratedDatabase } from '../../../tests/support/migrated-database.ts'
import { SHIPPING_ADDRESS } from '../testing/order.ts'
import { gradePortError } from './grade.ts'
import type { InventoryPort, PaymentsPort } from './ports.ts'
import { placeOrder, placingId } from './sagas.ts'
import { getOrder, insertOrder } from './store.ts'

const AWAY_MS = 30 * 60_000
/** As seldom as a saga is tried again. */
const TURN_MS = 20_000
const PIECE = { productId: 1, name: 'Piece', priceCents: 500, quantity: 1 }

let database: Awaited<ReturnType<typeof createMigratedDatabase>>
let db: Knex
beforeAll(async () => {
  database = await createMigratedDatabase('shop')
  db = knex(databaseSettings(database.url, { name: 'test', max: 3 }))
})
afterAll(async () => {
  await db?.destroy()
  await database?.drop()
})

it.each(['payments', 'inventory'])(
  'an order that turns back while %s is away for half an hour is taken back by itself afterwards',
  async (missing) => {
    let away = true
    const undone: string[] = []
    const ask = async (context: string, undo?: string) => {
      if (away && context === missing) throw problem(504, `${context}-unclear`, 'nobody answers')
      if (undo) undone.push(undo)
    }
    const payments: PaymentsPort = {
      charge: () => ask('payments'),
      cancel: () => ask('payments', 'charge'),
    }
    const inventory: InventoryPort = {
      here: async () => undefined,
      remote: {
        reserve: async () => undefined,
        confirm: () => ask('inventory'),
        release: () => ask('inventory', 'reservation'),
      },
      lookup: async () => [],
    }
    const clock = createVirtualClock(Date.now())
    const transaction = <T>(work: (trx: Knex.Transaction) => Promise<T>): Promise<T> => db.transaction(work)
    const store = createSagaStore({ transaction })
    const runner = createSagaRunner<Knex.Transaction>({
      store,
      sagas: [placeOrder({ inventory, payments })],
      logger: { error: () => undefined },
      grade: gradePortError,
      clock,
    })
    const saga = await db.transaction(async (trx) => {
      const orderId = await insertOrder(trx, {
        ...{ userId: 1, totalCents: 500, items: [PIECE], shippingAddress: SHIPPING_ADDRESS },
        ...{ customer: { name: 'Ada', email: 'ada@shop.test' }, idempotencyKey: missing, requestHash: '-' },
      })
      const placing = { orderId, userId: 1, lines: [], amountCents: 500, paymentToken: 'tok_visa', fromCart: false }
      const id = placingId(orderId!)
      return { orderId: orderId!, id, standing: await runner.start(trx, { saga: 'place-order', id, data: placing }) }
    })
    await runner.follow(saga.standing, 20_000)
    for (const end = clock.now() + AWAY_MS; clock.now() < end; clock.advance(TURN_MS)) await runner.resumeDue()
    expect((await store.read(saga.id))?.status).toBe('COMPENSATING')
    expect(undone).toEqual(missing === 'payments' ? [] : ['charge'])
    away = false
    clock.advance(TURN_MS)
    await runner.resumeDue()
    expect((await store.read(saga.id))?.status).toBe('COMPENSATED')
    expect(undone).toEqual(['charge', 'reservation'])
    expect((await getOrder(db, saga.orderId)).order.status).toBe('cancelled')
  },
)
