import { requireOwner } from '@banyan/kit/ownership'
import { problem } from '@banyan/kit/service'
import type { Knex } from 'knex'
import { stockReleased, stockReserved } from './events.ts'
import {
  normaliseLines,
  type Reservation,
  type ReservationLine,
  type ReservationStatus,
  type ReserveRequest,
  sameLines,
  shortagesOf,
  unitsBack,
} from './reservation.ts'
import { CONTEXT, SIDE } from './side.ts'

type Row = { order_id: number; status: ReservationStatus; lines: ReservationLine[]; expires_at: Date }

const toReservation = (row: Row): Reservation => ({
  orderId: row.order_id,
  status: row.status,
  lines: row.lines,
  expiresAt: row.expires_at.toISOString(),
})

const ended = (orderId: number, status: ReservationStatus) =>
  problem(409, 'reservation-ended', `the reservation of order ${orderId} is ${status} and does not come back`)

/**
 * Takes the lines out of the available stock, all or none. Refuses before its first write, so that the caller's
 * transaction stays usable.
 * @param defaultSeconds how long the reservation holds when the request does not say
 * @throws Problem 409 out-of-stock | reservation-differs | reservation-ended, 422 unknown-product
 */
export async function reserve(
  trx: Knex.Transaction,
  request: ReserveRequest,
  defaultSeconds: number,
): Promise<Reservation> {
  await requireOwner(trx, CONTEXT, SIDE)
  const lines = normaliseLines(request.lines)
  // Locked before the reservation is looked up: of two attempts for one order the second then sees the first.
  const available = await lockStock(trx, lines)
  const earlier = await find(trx, request.orderId)
  if (earlier) return sameReservation(earlier, lines)

  const unknown = lines.filter((line) => !available.has(line.productId)).map((line) => line.productId)
  if (unknown.length > 0) {
    throw problem(422, 'unknown-product', `no such product: ${unknown.join(', ')}`, { productIds: unknown })
  }
  const short = shortagesOf(lines, available)
  if (short.length > 0) {
    throw problem(409, 'out-of-stock', 'not enough is left; lower the quantities given in lines', { lines: short })
  }

  const { rows } = await trx.raw<{ rows: Row[] }>(
    `insert into reservations (order_id, status, lines, expires_at)
     values (?, 'held', ?::jsonb, now() + make_interval(secs => ?))
     on conflict (order_id) do nothing returning *`,
    [request.orderId, JSON.stringify(lines), request.expiresInSeconds ?? defaultSeconds],
  )
  const row = rows[0]
  // A release, or a reserve of other lines, came first while this one waited for it.
  if (!row) return sameReservation(await get(trx, request.orderId), lines)
  await moveStock(trx, lines, { available: -1, reserved: 1 })
  const reservation = toReservation(row)
  await stockReserved(trx, reservation)
  return reservation
}

/**
 * Turns the reservation into a sale.
 * @throws Problem 404 reservation-not-found, 409 reservation-ended
 */
export async function confirm(trx: Knex.Transaction, orderId: number): Promise<Reservation> {
  await requireOwner(trx, CONTEXT, SIDE)
  const row = await lock(trx, orderId)
  if (!row) throw notFound(orderId)
  if (row.status === 'confirmed') return toReservation(row)
  if (row.status !== 'held') throw ended(orderId, row.status)
  await lockStock(trx, row.lines)
  await moveStock(trx, row.lines, { available: 0, reserved: -1 })
  return setStatus(trx, orderId, 'confirmed')
}

/**
 * Gives the stock back, whether held or sold. Of an order never reserved it leaves a tombstone, so that a reserve
 * which this release has overtaken is refused when it arrives.
 */
export async function release(
  trx: Knex.Transaction,
  orderId: number,
  reason: 'released' | 'expired' = 'released',
): Promise<Reservation> {
  await requireOwner(trx, CONTEXT, SIDE)
  const { rows } = await trx.raw<{ rows: Row[] }>(
    `insert into reservations (order_id, status, lines, expires_at) values (?, 'released', '[]', now())
     on conflict (order_id) do nothing returning *`,
    [orderId],
  )
  if (rows[0]) return toReservation(rows[0])
  const row = await lock(trx, orderId)
  if (!row) throw notFound(orderId)
  const back = unitsBack(row.status)
  if (back === 'none') return toReservation(row)
  await lockStock(trx, row.lines)
  await moveStock(trx, row.lines, { available: 1, reserved: back === 'from-reserved' ? -1 : 0 })
  const reservation = await setStatus(trx, orderId, reason)
  await stockReleased(trx, reservation)
  return reservation
}

/** @throws Problem 404 reservation-not-found */
export async function get(db: Knex, orderId: number): Promise<Reservation> {
  const row = await find(db, orderId)
  if (!row) throw notFound(orderId)
  return toReservation(row)
}

/** The order whose reservation ran out first, locked; what another worker has locked is left to it. */
export async function lockExpired(trx: Knex.Transaction): Promise<number | undefined> {
  const { rows } = await trx.raw<{ rows: { order_id: number }[] }>(
    `select order_id from reservations where status = 'held' and expires_at <= now()
     order by expires_at, order_id limit 1 for update skip locked`,
  )
  return rows[0]?.order_id
}

function sameReservation(earlier: Row | Reservation, lines: ReservationLine[]): Reservation {
  const reservation = 'order_id' in earlier ? toReservation(earlier) : earlier
  const { orderId, status } = reservation
  if (status === 'released' || status === 'expired') throw ended(orderId, status)
  if (sameLines(reservation.lines, lines)) return reservation
  throw problem(409, 'reservation-differs', `order ${orderId} has reserved other lines; release it first`)
}

const notFound = (orderId: number) =>
  problem(404, 'reservation-not-found', `order ${orderId} has no reservation; reserve first`)

const find = (db: Knex, orderId: number): Promise<Row | undefined> =>
  db<Row>('reservations').where({ order_id: orderId }).first()

const lock = (trx: Knex.Transaction, orderId: number): Promise<Row | undefined> =>
  trx<Row>('reservations').where({ order_id: orderId }).forUpdate().first()

async function setStatus(trx: Knex.Transaction, orderId: number, status: ReservationStatus): Promise<Reservation> {
  const [row] = await trx<Row>('reservations')
    .where({ order_id: orderId })
    .update({ status, updated_at: trx.fn.now() } as never)
    .returning('*')
  return toReservation(row as Row)
}

/** Locks the stock of the lines in the order of the ids; without the order two buyers could wait for each other. */
async function lockStock(trx: Knex.Transaction, lines: readonly ReservationLine[]): Promise<Map<number, number>> {
  const { rows } = await trx.raw<{ rows: { product_id: number; available: number }[] }>(
    'select product_id, available from stock where product_id = any(?::bigint[]) order by product_id for update',
    [lines.map((line) => line.productId)],
  )
  return new Map(rows.map((row) => [row.product_id, row.available]))
}

/** Moves each line's quantity, times the factors; the rows are locked, and the table's checks refuse what is below 0. */
async function moveStock(
  trx: Knex.Transaction,
  lines: readonly ReservationLine[],
  factor: { available: number; reserved: number },
): Promise<void> {
  await trx.raw(
    `update stock s set available = s.available + l.quantity * ?, reserved = s.reserved + l.quantity * ?,
       updated_at = now()
     from unnest(?::bigint[], ?::int[]) as l (product_id, quantity) where s.product_id = l.product_id`,
    [factor.available, factor.reserved, lines.map((line) => line.productId), lines.map((line) => line.quantity)],
  )
}
