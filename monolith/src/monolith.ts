import { randomUUID } from 'node:crypto'
import { connectBroker, eventArchive } from '@banyan/kit/broker'
import { startRelay } from '@banyan/kit/outbox'
import { createWorkGate, watchOwnership } from '@banyan/kit/ownership'
import {
  armFailPoints,
  createCaller,
  createHealth,
  createInternalSigner,
  createLogger,
  createMetrics,
  type Logger,
  type Served,
  serve,
} from '@banyan/kit/service'
import { buildApp } from './app.ts'
import type { Config } from './config.ts'
import { connectDatabase } from './database.ts'
import { createInventoryPort } from './inventory/port.ts'
import { createRemoteInventory, noRemoteInventory } from './inventory/port-remote.ts'

/**
 * Starts the shop: connections, contexts, the background work, and then the listener.
 * @param options.ownProcess whether signals and the parent's end stop the process; a test says no
 */
export async function startMonolith(config: Config, options: { ownProcess: boolean }): Promise<Served> {
  armFailPoints(config.FAIL_POINTS)
  const logger = createLogger({ name: 'monolith', level: config.LOG_LEVEL })
  const health = createHealth()
  const db = connectDatabase(config.DATABASE_URL, { name: 'monolith', max: config.DATABASE_POOL })
  const broker = config.AMQP_URL ? connectBroker({ url: config.AMQP_URL, name: 'monolith', logger }) : undefined
  const relay =
    broker && startRelay({ connectionString: config.DATABASE_URL, broker, topology: eventArchive(), logger })
  const { gate, close: closeGate } = openGate(config, logger)
  const caller = callerOfInventory(config, logger)
  const inventory = createInventoryPort({
    remote: caller ? createRemoteInventory({ caller }) : noRemoteInventory(),
    reservationSeconds: config.RESERVATION_SECONDS,
  })
  const app = buildApp({ config, db, logger, inventory, gate, broker, health, metrics: createMetrics() })

  // Before the listener: whoever finds the process ready finds its administrator too.
  const background = await app.start()
  return serve({
    app: app.express,
    host: config.HOST,
    port: config.PORT,
    health,
    logger,
    graceMs: config.SHUTDOWN_GRACE_MS,
    lifeline: config.BANYAN_LIFELINE,
    ownProcess: options.ownProcess,
    // Workers before what they use.
    close: [
      () => background.close(),
      closeGate,
      () => relay?.close(),
      () => broker?.close(),
      () => caller?.close(),
      () => db.destroy(),
    ],
  })
}

function callerOfInventory({ INVENTORY_SERVICE_URL: baseUrl, INTERNAL_KEY: privateJwk }: Config, logger: Logger) {
  if (!baseUrl) return undefined
  if (!privateJwk) throw new Error('configuration: INVENTORY_SERVICE_URL needs INTERNAL_KEY, to sign the calls with')
  const signer = createInternalSigner({ privateJwk, name: 'monolith' })
  return createCaller({ baseUrl, name: 'inventory-service', deadlineMs: 2_000, signer, logger })
}

/** With a control database, background work stands still while its context is held, and says so to the mover. */
function openGate(config: Config, logger: Logger) {
  const connectionString = config.CONTROL_DATABASE_URL
  if (!connectionString) return { gate: createWorkGate(() => false), close: async () => undefined }
  const gate = createWorkGate((context) => watch.get(context)?.hold ?? false)
  const watch = watchOwnership({
    connectionString,
    subscriber: { id: `monolith-${randomUUID()}`, kind: 'worker' },
    drained: (context) => gate.drained(context),
    logger,
  })
  return { gate, close: () => watch.close() }
}
