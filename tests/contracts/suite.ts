import { type ContractClient, createContractClient } from './client.ts'
import type { TellSample } from './samples.ts'
import { commonContract } from './suite/common.ts'
import { inventoryContract } from './suite/inventory.ts'
import { inventoryInternalContract } from './suite/inventory-internal.ts'
import { notificationsContract } from './suite/notifications.ts'
import { ordersContract } from './suite/orders.ts'
import { paymentsContract } from './suite/payments.ts'
import { paymentsInternalContract } from './suite/payments-internal.ts'
import { shippingContract } from './suite/shipping.ts'
import { usersContract } from './suite/users.ts'
import { usersInternalContract } from './suite/users-internal.ts'

/** Whom the suite talks to, and as whom. */
export type Target = {
  baseUrl: string
  adminToken: string
  /** A customer's; absent where `users` is in the suite, which then makes one. */
  customerToken?: string
  /** A calling service's; needed for the internal parts. */
  serviceToken?: string
  /** Tells the process of events; needed for the parts that follow from them. */
  tell?: TellSample
}

/** What the tests of a context are written against; filled before the first of them runs. */
export type World = Target & { client: ContractClient; customerToken: string }

const CONTEXTS = {
  common: commonContract,
  users: usersContract,
  'users-internal': usersInternalContract,
  inventory: inventoryContract,
  'inventory-internal': inventoryInternalContract,
  /** Charges by the internal routes, so it goes with the next. */
  payments: paymentsContract,
  'payments-internal': paymentsInternalContract,
  /** Payments, shipments and letters come along: they follow from orders. */
  orders: ordersContract,
  /** The two of a process that has no orders of its own. */
  notifications: notificationsContract,
  shipping: shippingContract,
}

export type ContextName = keyof typeof CONTEXTS

/**
 * Registers the contract's tests for a process.
 * @param contexts which of it the process answers for
 * @param target asked once the caller's own `beforeAll` has run
 */
export function contractSuite(contexts: readonly ContextName[], target: () => Target): void {
  let world: World | undefined
  const open = (): World => {
    const given = target()
    world ??= { customerToken: '', ...given, client: createContractClient(given.baseUrl) }
    return world
  }
  for (const context of contexts) CONTEXTS[context](open)
}
