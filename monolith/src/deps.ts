import type { Broker } from '@banyan/kit/broker'
import type { WorkGate } from '@banyan/kit/ownership'
import type { Logger } from '@banyan/kit/service'
import type { Router } from 'express'
import type { Knex } from 'knex'
import type { Config } from './config.ts'
import type { InventoryPort } from './inventory/port.ts'

/** What every context is built from. */
export type Deps = {
  config: Config
  db: Knex
  logger: Logger
  /** The way to inventory, wherever it lives. */
  inventory: InventoryPort
  /** Background work passes through here, so that it stands still while its context is held. */
  gate: WorkGate
  /** Absent without AMQP_URL: events then wait in the outbox. */
  broker: Broker | undefined
}

export type Running = { close(): Promise<void> }

/**
 * A bounded context as the application assembles it. Routers carry full paths (`/api/products`); `start` begins the
 * background work (workers, consumers) and is called before the process listens.
 */
export type Context = {
  routes: Router
  start?(): Running | Promise<Running>
}
