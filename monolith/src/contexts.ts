import type { Context, ServiceParts } from '@banyan/kit/service'
import type { Knex } from 'knex'
import type { Config } from './config.ts'
import { inventoryContext } from './inventory/context.ts'
import { createInventoryPort } from './inventory/port-by-owner.ts'
import { createRemoteInventory, noRemoteInventory } from './inventory/port-remote.ts'
import { notificationsContext } from './notifications/context.ts'
import { ordersContext } from './orders/context.ts'
import { paymentsContext } from './payments/context.ts'
import { createPaymentsPort } from './payments/port-by-owner.ts'
import { createRemotePayments, noRemotePayments } from './payments/port-remote.ts'
import { shippingContext } from './shipping/context.ts'
import { usersContext } from './users/context.ts'
import { createUsersPort } from './users/port.ts'
import { createRemoteUsers, noRemoteUsers } from './users/port-remote.ts'

/** Puts the shop's contexts together: here, and nowhere else, one gets to know another, by its port. */
export function shopContexts(parts: ServiceParts<Config, Knex>): Context[] {
  const { config, db } = parts
  const users = createUsersPort({ db, remote: remoteUsers(parts) })
  const payments = paymentsContext(parts)
  return [
    usersContext(parts),
    inventoryContext(parts),
    payments,
    ordersContext({
      ...parts,
      inventory: createInventoryPort({
        db,
        remote: remoteInventory(parts),
        reservationSeconds: config.RESERVATION_SECONDS,
      }),
      payments: createPaymentsPort({ db, local: payments.charges, remote: remotePayments(parts) }),
      customerOf: users.customer,
    }),
    shippingContext(parts),
    notificationsContext(parts),
  ]
}

function remoteInventory({ config, callerOf }: ServiceParts<Config, Knex>) {
  const { INVENTORY_SERVICE_URL: url } = config
  return url ? createRemoteInventory({ caller: callerOf('inventory-service', url) }) : noRemoteInventory()
}

function remotePayments({ config, callerOf }: ServiceParts<Config, Knex>) {
  const { PAYMENT_SERVICE_URL: url } = config
  return url ? createRemotePayments({ caller: callerOf('payment-service', url) }) : noRemotePayments()
}

function remoteUsers({ config, callerOf }: ServiceParts<Config, Knex>) {
  const { USER_SERVICE_URL: url } = config
  return url ? createRemoteUsers({ caller: callerOf('user-service', url) }) : noRemoteUsers()
}
