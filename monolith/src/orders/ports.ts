import type { Knex } from 'knex'

// What orders ask of the other contexts, in their own words: whoever puts a process together gives them what fits,
// in this house by branch by abstraction, in the service by HTTP alone.

export type ReservationLine = { productId: number; quantity: number }

/** What carts and orders may know of a product. */
export type ProductSummary = { id: number; name: string; priceCents: number; available: number }

/** Inventory in this very process, in the transaction of the caller. */
export type LocalInventory = {
  reserve(trx: Knex.Transaction, request: { orderId: number; lines: ReservationLine[] }): Promise<unknown>
  confirm(trx: Knex.Transaction, orderId: number): Promise<unknown>
  release(trx: Knex.Transaction, orderId: number): Promise<unknown>
}

/** Inventory in another process; call it with no transaction open. */
export type RemoteInventory = {
  reserve(request: { orderId: number; lines: ReservationLine[] }): Promise<unknown>
  confirm(orderId: number): Promise<unknown>
  release(orderId: number): Promise<unknown>
}

/**
 * Each operation is idempotent by order id. `reserve` and `confirm` may refuse for good, with a Problem of the client's
 * class; `release` refuses nothing, and one that overtakes its `reserve` wins.
 */
export type InventoryPort = {
  /** Inventory, if it is in this process now and as long as this transaction lasts; nothing if it is elsewhere. */
  here(trx: Knex.Transaction): Promise<LocalInventory | undefined>
  remote: RemoteInventory
  /** What is not sold (any more) is absent. */
  lookup(ids: readonly number[]): Promise<ProductSummary[]>
}

/** Both ask a provider in the end: no transaction may be open. Each is idempotent by order id. */
export type PaymentsPort = {
  /** Problem 402 `payment-declined` and 409 are final; after any other error: ask again, or cancel. */
  charge(request: { orderId: number; userId: number; amountCents: number; token: string }): Promise<unknown>
  /** Ends in a payment that holds nothing and never will, whatever became of the charge. */
  cancel(request: { orderId: number; userId: number }): Promise<unknown>
}

/** Whom the order's mail goes to, as it was when the order was placed. */
export type Customer = { name: string; email: string }
/** @throws Problem when the account is gone, or cannot be asked for */
export type CustomerOf = (userId: number) => Promise<Customer>
