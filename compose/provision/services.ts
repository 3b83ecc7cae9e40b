/** The services of the shop, one row each: from here follow ports, databases, accounts, flags, keys and processes. */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'

/** The chapters of the shop's story; a stack of one of them has every service that has left by then. */
export const STAGES = [
  '0-monolith',
  '1-proxy',
  '2-subscribers',
  '3-inventory',
  '4-users',
  '5-payments',
  '6-orders',
  '7-microservices',
] as const
export type Stage = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7

/** What a process is given besides its own: see `GIFTS` in `embedded/processes.ts`. */
export type Need = 'user-keys' | 'administrator' | 'payment-provider' | 'mail-server'

export type ServiceRow = {
  name: string
  context: string
  database: string
  /** The well-known one. */
  port: number
  since: Stage
  /** The events that it tells, by type; at the broker nobody but it and the monolith may. */
  tells: readonly string[]
  needs?: readonly Need[]
  /** Other processes whose address it is told, as `<NAME>_URL`. */
  calls?: readonly string[]
}

export const SERVICES: readonly ServiceRow[] = [
  {
    name: 'notification-service',
    context: 'notifications',
    database: 'notifications',
    port: 3005,
    since: 2,
    tells: [],
    needs: ['mail-server'],
  },
  {
    name: 'shipping-service',
    context: 'shipping',
    database: 'shipping',
    port: 3006,
    since: 2,
    tells: ['ShipmentDispatched'],
  },
  {
    name: 'inventory-service',
    context: 'inventory',
    database: 'inventory',
    port: 3002,
    since: 3,
    tells: ['ProductChanged', 'ProductDeleted', 'StockReserved', 'StockReleased'],
  },
  {
    name: 'user-service',
    context: 'users',
    database: 'users',
    port: 3001,
    since: 4,
    tells: ['UserRegistered'],
    needs: ['user-keys', 'administrator'],
  },
  {
    name: 'payment-service',
    context: 'payments',
    database: 'payments',
    port: 3003,
    since: 5,
    tells: ['PaymentCaptured', 'PaymentRefunded'],
    needs: ['payment-provider'],
  },
  {
    name: 'order-service',
    context: 'orders',
    database: 'orders',
    port: 3004,
    since: 6,
    tells: ['OrderPlaced', 'OrderConfirmed', 'OrderCancelled'],
    calls: ['inventory-service', 'payment-service', 'user-service'],
  },
]

/** The monolith has every context and may call each service that one of them has left for. */
export const MONOLITH = {
  name: 'monolith',
  port: 3000,
  needs: ['user-keys', 'administrator', 'payment-provider', 'mail-server'],
  calls: ['inventory-service', 'payment-service', 'user-service'],
} as const satisfies Pick<ServiceRow, 'name' | 'port' | 'needs' | 'calls'>

/**
 * The roles by which the shop's processes follow ownership in the control database. There each may announce instances of
 * its own process alone: a proxy sends requests wherever an instance says it is.
 */
export const WATCHERS = [{ ...MONOLITH, database: 'shop' }, ...SERVICES].map((row) => ({
  role: watcherOf(row.database),
  process: row.name,
}))

/** @param database the process's own */
export function watcherOf(database: string): string {
  return `${database}_watch`
}

/** Those that a stack of the stage has. */
export const servicesOf = (stage: Stage): readonly ServiceRow[] => SERVICES.filter((row) => row.since <= stage)

/** `order-service` → `ORDER_SERVICE_URL`. */
export const addressVariable = (process: string): string => `${variableOf(process)}_URL`

/**
 * What runs in the place of a service's own main.ts: `ORDER_SERVICE_COMMAND` in the environment, words with spaces
 * between, relative paths from the repository's root.
 */
export function commandOf(service: string): readonly string[] | undefined {
  const words = process.env[`${variableOf(service)}_COMMAND`]?.split(' ').filter(Boolean)
  return words?.length ? words : undefined
}

const variableOf = (process: string): string => process.toUpperCase().replaceAll('-', '_')

const PLANS = new URL('../../migrations/shop/plans/', import.meta.url)
const tables = z.object({ tables: z.array(z.union([z.string(), z.looseObject({ from: z.string() })])) })

/** The tables that move with a context, as its plan names them. */
export function tablesOf(context: string): string[] {
  const plan = tables.parse(parse(readFileSync(new URL(`${context}.yaml`, PLANS), 'utf8')))
  return plan.tables.map((table) => (typeof table === 'string' ? table : table.from))
}
