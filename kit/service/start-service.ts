/** A whole process with contexts in it, from its configuration to the heartbeat that says where it is. */
import { randomUUID } from 'node:crypto'
import type { JSONWebKeySet } from 'jose'
import { type Broker, connectBroker, eventArchive, joinTopologies } from '../broker/index.ts'
import { exportConsumers } from '../inbox/consumer-metrics.ts'
import { startRelay } from '../outbox/relay.ts'
import { exportRelay } from '../outbox/relay-metrics.ts'
import { registerInstance } from '../ownership/instances.ts'
import { openGate } from '../ownership/open-gate.ts'
import type { WorkGate } from '../ownership/work-gate.ts'
import { assemble } from './assemble.ts'
import { buildOf } from './build.ts'
import { type Caller, createCaller } from './caller.ts'
import { type Context, startContexts } from './context.ts'
import { type DatabaseSettings, databaseSettings } from './database.ts'
import { armFailPoints } from './fail-points.ts'
import { createHealth } from './health.ts'
import { createInternalSigner } from './internal-tokens.ts'
import { createLogger, type Logger } from './logger.ts'
import { createMetrics } from './metrics.ts'
import type { Side } from './refusal.ts'
import { type Served, serve } from './serve.ts'
import type { ServiceConfig } from './service-config.ts'
import { startTelemetry } from './telemetry.ts'

/** What contexts are built from. */
export type ServiceParts<Config, Db> = {
  config: Config
  db: Db
  logger: Logger
  /** Background work passes through here, so that it stands still while its context is held. */
  gate: WorkGate
  /** Absent without AMQP_URL: events then wait in the outbox, and none comes. */
  broker: Broker | undefined
  /** A caller of another process, signed with INTERNAL_KEY as this one; closed with the process. */
  callerOf(name: string, baseUrl: string): Caller
}

export type StartServiceOptions<Config, Db> = {
  /** Of the process: in logs, in pg_stat_activity, at the broker, and the audience of tokens on internal routes. */
  name: string
  side: Side
  /** A folder of its package, by whose sources its build is named: `import.meta.dirname`. */
  sources: string
  config: Config
  /** Makes the pool of connections: `knex` as it is. */
  connect(settings: DatabaseSettings): Db
  contexts(parts: ServiceParts<Config, Db>): readonly Context[]
  /** Public keys of the users' tokens where the process itself signs them; else by JWT_JWKS or JWT_JWKS_URL. */
  jwks?: JSONWebKeySet
  /** Whether signals and the parent's end stop the process; a test says no. */
  ownProcess: boolean
}

const CALL_DEADLINE_MS = 2_000

/**
 * Starts connections, the outbox's relay, the contexts' background work, then the listener; and keeps a row of
 * `banyan.instances`, by which a proxy finds a service and the mover sees what runs.
 * @throws the first thing that does not come up
 */
export async function startService<Config extends ServiceConfig, Db extends { destroy(): Promise<unknown> }>(
  options: StartServiceOptions<Config, Db>,
): Promise<Served> {
  const { name, side, config } = options
  armFailPoints(config.FAIL_POINTS)
  const logger = createLogger({ name, level: config.LOG_LEVEL })
  const build = config.BUILD ?? buildOf(options.sources)
  const telemetry = await startTelemetry({ name, build, settings: config, logger })
  const health = createHealth(build)
  const id = `${name}-${randomUUID()}`
  const db = options.connect(databaseSettings(config.DATABASE_URL, { name, max: config.DATABASE_POOL }))
  const broker = config.AMQP_URL ? connectBroker({ url: config.AMQP_URL, name, logger }) : undefined
  const metrics = createMetrics()
  const control = openGate({ connectionString: config.CONTROL_DATABASE_URL, id, logger })
  const callers = createCallers(name, config, logger)
  const contexts = options.contexts({ config, db, logger, gate: control.gate, broker, callerOf: callers.callerOf })
  const topology = joinTopologies([eventArchive(), ...contexts.flatMap(({ hears }) => hears ?? [])])
  const relay = broker && startRelay({ connectionString: config.DATABASE_URL, broker, topology, logger })
  if (relay) exportRelay(metrics.registry, relay.stats)
  if (broker) exportConsumers(metrics.registry, broker)
  for (const context of contexts) context.measures?.(metrics.registry)
  const app = assemble({ name, side, config, contexts, jwks: options.jwks, logger, health, metrics })

  await control.ready
  // Before the listener: whoever finds the process ready finds what the contexts make at their start, too.
  const background = await startContexts(contexts)
  let instance: { close(): Promise<void> } | undefined
  const served = await serve({
    app,
    host: config.HOST,
    port: config.PORT,
    health,
    logger,
    unreadyMs: config.SHUTDOWN_UNREADY_MS,
    graceMs: config.SHUTDOWN_GRACE_MS,
    lifeline: config.BANYAN_LIFELINE,
    ownProcess: options.ownProcess,
    // Gone from the list of instances first, then workers, then what they use.
    close: [
      () => instance?.close(),
      () => background.close(),
      () => control.close(),
      () => relay?.close(),
      () => broker?.close(),
      () => callers.close(),
      () => db.destroy(),
      () => telemetry.close(),
    ],
  })
  if (config.CONTROL_DATABASE_URL) {
    const where = { connectionString: config.CONTROL_DATABASE_URL, url: config.SELF_URL ?? served.url }
    instance = registerInstance({ ...where, service: name, id, build, logger })
  }
  return served
}

function createCallers(name: string, { INTERNAL_KEY: privateJwk }: ServiceConfig, logger: Logger) {
  const made: Caller[] = []
  return {
    callerOf(callee: string, baseUrl: string): Caller {
      if (!privateJwk) throw new Error(`configuration: calls to ${callee} need INTERNAL_KEY, to sign them with`)
      const signer = createInternalSigner({ privateJwk, name })
      const caller = createCaller({ baseUrl, name: callee, deadlineMs: CALL_DEADLINE_MS, signer, logger })
      made.push(caller)
      return caller
    },
    close: () => Promise.all(made.map((caller) => caller.close())),
  }
}
