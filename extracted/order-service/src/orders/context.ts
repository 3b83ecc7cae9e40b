import type { Broker } from '@banyan/kit/broker'
import { consumeEvents, heardBy } from '@banyan/kit/inbox'
import type { WorkGate } from '@banyan/kit/ownership'
import { createSagaRunner, createSagaStore, exportRunner } from '@banyan/kit/saga'
import { type Context, failPoint, type Logger } from '@banyan/kit/service'
import type { Knex } from 'knex'
import { orderHandlers } from './consumer.ts'
import { gradePortError } from './grade.ts'
import type { CustomerOf, InventoryPort, PaymentsPort } from './ports.ts'
import { ordersRoutes } from './routes.ts'
import { cancelOrder, placeOrder } from './sagas.ts'
import { CONTEXT, SIDE } from './side.ts'
import { writeOrders } from './store.ts'

/** An order is answered within two seconds, with 202 if need be; a little is left for the way. Milliseconds. */
const PATIENCE_MS = 1_900
/** The longest that a killed process keeps a saga from being resumed by the next one, and one call's longest. */
const LEASE_MS = 6_000
const CALL_TIMEOUT_MS = 3_000
/** A hold on any of these holds the sagas: their steps write all three. */
const TOUCHED = [CONTEXT, 'inventory', 'payments']

export type OrdersDeps = {
  db: Knex
  broker: Broker | undefined
  gate: WorkGate
  logger: Logger
  inventory: InventoryPort
  payments: PaymentsPort
  customerOf: CustomerOf
}

/** The orders context; `start` resumes the sagas that a crash left behind, and reacts to events. */
export const ordersContext = (deps: OrdersDeps): Context => {
  const { db, gate, logger } = deps
  const runner = createSagaRunner<Knex.Transaction>({
    store: createSagaStore({ transaction: (work) => writeOrders(db, work) }),
    sagas: [placeOrder(deps), cancelOrder(deps)],
    logger,
    grade: gradePortError,
    pass: (step) => gate.pass(TOUCHED, step),
    failPoint,
    side: SIDE,
    leaseMs: LEASE_MS,
    callTimeoutMs: CALL_TIMEOUT_MS,
  })
  return {
    routes: ordersRoutes({ ...deps, runner, patienceMs: PATIENCE_MS }),
    hears: heardBy(CONTEXT, orderHandlers),
    measures: (registry) => exportRunner(registry, runner.stats),
    start() {
      runner.run()
      const consumer = consumeEvents({ ...deps, context: CONTEXT, side: SIDE, handlers: orderHandlers })
      return {
        async close() {
          await Promise.all([runner.close(), consumer.close()])
        },
      }
    },
  }
}
