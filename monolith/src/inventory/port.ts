import type { Knex } from 'knex'
import type { ProductSummary } from './products.ts'
import type { Reservation, ReserveRequest } from './reservation.ts'

export type { Reservation, ReservationLine, ReservationStatus, ReserveRequest, Shortage } from './reservation.ts'

export type { ProductSummary } from './products.ts'

/**
 * Every operation is idempotent by order id, and answers the same on both sides:
 * - `reserve` throws Problem 409 `out-of-stock` (extra `lines: [{productId, requested, available}]`), 409
 *   `reservation-differs` (same order, other lines), 409 `reservation-ended` (released or expired before:
 *   a release that overtook its reserve wins), 422 `unknown-product` (extra `productIds`).
 * - `confirm` throws Problem 404 `reservation-not-found`, 409 `reservation-ended`.
 * - `release` never fails: of a held or a confirmed one it gives the stock back, of an unknown one it leaves a
 *   tombstone, so that a late `reserve` of that order is refused.
 */
export type LocalInventory = {
  reserve(trx: Knex.Transaction, request: ReserveRequest): Promise<Reservation>
  confirm(trx: Knex.Transaction, orderId: number): Promise<Reservation>
  release(trx: Knex.Transaction, orderId: number): Promise<Reservation>
  lookup(trx: Knex, ids: readonly number[]): Promise<ProductSummary[]>
}

/** The same over HTTP. Call it with no transaction open (see `side`). */
export type RemoteInventory = {
  reserve(request: ReserveRequest): Promise<Reservation>
  confirm(orderId: number): Promise<Reservation>
  release(orderId: number): Promise<Reservation>
  lookup(ids: readonly number[]): Promise<ProductSummary[]>
}

/**
 * How the rest of the shop reaches inventory, whoever owns it: branch by abstraction.
 *
 * `side` reads the owner under its share lock, inside the transaction that is to act: `local` stays true until that
 * transaction ends. On `remote` the transaction must end before the call, because the unfence that the callee may be
 * waiting for would wait for this transaction's lock. While the context moves, `side` throws Problem 503 `fenced`.
 */
export type InventoryPort = {
  side(trx: Knex.Transaction): Promise<'local' | 'remote'>
  local: LocalInventory
  remote: RemoteInventory
}
