import type { Knex } from 'knex'
import type { ProductSummary } from './products.ts'
import type { Reservation, ReserveRequest } from './reservation.ts'

export type { ProductSummary } from './products.ts'
export type { Reservation, ReserveRequest } from './reservation.ts'

/**
 * How the rest of the shop reaches inventory, whoever owns it: branch by abstraction.
 *
 * `here` reads the owner under its share lock, inside the transaction that is to act: what it gives stays good until that
 * transaction ends. Where it gives nothing, the transaction must end before `remote` is called, because the unfence that
 * the callee may be waiting for would wait for this transaction's lock. While the context moves, `here` throws Problem
 * 503 `fenced`.
 */
export type InventoryPort = {
  here(trx: Knex.Transaction): Promise<LocalInventory | undefined>
  remote: RemoteInventory
  /** From wherever inventory is, in the order of the ids; what is not sold (any more) is absent. No lock is kept. */
  lookup(ids: readonly number[]): Promise<ProductSummary[]>
}

/**
 * Every operation is idempotent by order id, and answers the same on both sides:
 * - `reserve` throws Problem 409 `out-of-stock` (member `lines: [{productId, requested, available}]`), 409
 *   `reservation-differs` (same order, other lines), 409 `reservation-ended` (released or expired before: a release
 *   that overtook its reserve wins), 422 `unknown-product` (member `productIds`). Each is thrown before anything is
 *   written, so the transaction stays usable.
 * - `confirm` throws Problem 404 `reservation-not-found`, 409 `reservation-ended`.
 * - `release` refuses nothing: of a held or a confirmed reservation it gives the stock back, of an unknown one it
 *   leaves a tombstone, so that a late `reserve` of that order is refused.
 * - all that write throw 421 `not-owner` or 503 `fenced` when the other side owns inventory, or nobody does right now.
 */
export type LocalInventory = {
  reserve(trx: Knex.Transaction, request: ReserveRequest): Promise<Reservation>
  confirm(trx: Knex.Transaction, orderId: number): Promise<Reservation>
  release(trx: Knex.Transaction, orderId: number): Promise<Reservation>
}

/** The same over HTTP. Call it with no transaction open (see `here`). */
export type RemoteInventory = {
  reserve(request: ReserveRequest): Promise<Reservation>
  confirm(orderId: number): Promise<Reservation>
  release(orderId: number): Promise<Reservation>
  lookup(ids: readonly number[]): Promise<ProductSummary[]>
}
