import { randomUUID } from 'node:crypto'
import { connectBroker, eventArchive } from '@banyan/kit/broker'
import { startRelay } from '@banyan/kit/outbox'
import { createWorkGate, registerInstance, watchOwnership } from '@banyan/kit/ownership'
import {
  armFailPoints,
  createHealth,
  createLogger,
  createMetrics,
  type Logger,
  type Served,
  serve,
} from '@banyan/kit/service'
import { buildApp } from './app.ts'
import type { Config } from './config.ts'
import { connectDatabase } from './database.ts'
import { inventoryContext } from './inventory/context.ts'

const NAME = 'inventory-service'

/**
 * Starts inventory as a service: connections, background work, the listener, and the heartbeat that says where it is.
 * @param options.ownProcess whether signals and the parent's end stop the process; a test says no
 */
export async function startInventoryService(config: Config, options: { ownProcess: boolean }): Promise<Served> {
  armFailPoints(config.FAIL_POINTS)
  const logger = createLogger({ name: NAME, level: config.LOG_LEVEL })
  const health = createHealth()
  const id = `${NAME}-${randomUUID()}`
  const db = connectDatabase(config.DATABASE_URL, { name: NAME, max: config.DATABASE_POOL })
  const broker = config.AMQP_URL ? connectBroker({ url: config.AMQP_URL, name: NAME, logger }) : undefined
  const relay =
    broker && startRelay({ connectionString: config.DATABASE_URL, broker, topology: eventArchive(), logger })
  const control = openControl(config, id, logger)
  const inventory = inventoryContext({
    db,
    logger,
    gate: control.gate,
    reservationSeconds: config.RESERVATION_SECONDS,
  })
  const app = buildApp({ config, logger, health, metrics: createMetrics(), inventory: inventory.routes })

  const background = inventory.start()
  const served = await serve({
    app,
    host: config.HOST,
    port: config.PORT,
    health,
    logger,
    graceMs: config.SHUTDOWN_GRACE_MS,
    lifeline: config.BANYAN_LIFELINE,
    ownProcess: options.ownProcess,
    // Gone from the list of instances first, then workers, then what they use.
    close: [
      () => control.withdraw(),
      () => background.close(),
      () => control.close(),
      () => relay?.close(),
      () => broker?.close(),
      () => db.destroy(),
    ],
  })
  control.announce(config.SELF_URL ?? served.url)
  return served
}

/** What ties the service to a move: the hold that stops its background work, and the heartbeat of this instance. */
function openControl({ CONTROL_DATABASE_URL: connectionString }: Config, id: string, logger: Logger) {
  if (!connectionString) {
    const nothing = async () => undefined
    return { gate: createWorkGate(() => false), announce: nothing, withdraw: nothing, close: nothing }
  }
  const gate = createWorkGate((context) => watch.get(context)?.hold ?? false)
  const watch = watchOwnership({
    connectionString,
    subscriber: { id, kind: 'worker' },
    drained: (context) => gate.drained(context),
    logger,
  })
  let instance: { close(): Promise<void> } | undefined
  return {
    gate,
    announce(url: string) {
      instance = registerInstance({ connectionString, service: NAME, id, url, logger })
    },
    withdraw: async () => instance?.close(),
    close: () => watch.close(),
  }
}
