/** The comparison itself: pure, from what was told and what is held to the figures of the report. */

import type { OrderLine } from '../shoppers/told.ts'
import type { Holdings, Stock } from './held.ts'
import type { Journal, ToldOrder } from './journal.ts'

export type Ledger = {
  ordersAcknowledged: number
  ordersMissing: number
  ordersDuplicated: number
  /** Units by which stock differs from what follows from the start, the adjustments and the orders. */
  stockDrift: number
  moneyDriftCents: number
  emailsMissing: number
  emailsDuplicated: number
}

/** One line for each thing that does not add up, for whoever looks for the reason. */
export type Finding = string

type HeldOrder = Holdings['orders'][number]

/** A shop keeps a promised order as long as it is one of these. */
const KEPT = new Set(['confirmed', 'shipped'])
const IN_BETWEEN = new Set(['pending', 'cancelling'])

const NONE: ReadonlySet<string> = new Set()

/** @param mayRepeat the events whose one e-mail was in the hand of a process when it was killed: two are right */
export function compare(
  told: Journal,
  initial: Stock,
  held: Holdings,
  mayRepeat: ReadonlySet<string> = NONE,
): { ledger: Ledger; findings: Finding[] } {
  const findings: Finding[] = []
  const count = (found: Finding[]) => {
    findings.push(...found)
    return found.length
  }
  const stock = stockDrift(told, initial, held)
  const money = moneyDrift(held)
  findings.push(...stock.findings, ...money.findings)
  const ledger = {
    ordersAcknowledged: told.orders.size,
    ordersMissing: count(missingOrders(told, held)),
    ordersDuplicated: count(duplicatedOrders(told, held)),
    stockDrift: stock.drift,
    moneyDriftCents: money.drift,
    emailsMissing: count(missingMails(held)),
    emailsDuplicated: count(duplicatedMails(held, mayRepeat)),
  }
  return { ledger, findings }
}

/** Whether everything adds up. */
export function isExact({ ordersAcknowledged: _, ...drifts }: Ledger): boolean {
  return Object.values(drifts).every((value) => value === 0)
}

function missingOrders(told: Journal, held: Holdings): Finding[] {
  const byId = new Map(held.orders.map((order) => [order.id, order]))
  return [...told.orders.values()].flatMap((order) => {
    const rows = [...order.orderIds].map((id) => byId.get(id))
    if (rows.some((row) => !row)) return [`order ${[...order.orderIds]} was promised and is not there`]
    return rows.flatMap((row) => brokenPromise(order, row!))
  })
}

function brokenPromise(told: ToldOrder, held: HeldOrder): Finding[] {
  const id = held.id
  if (IN_BETWEEN.has(held.status)) return [`order ${id} never ended: it is ${held.status}`]
  // Stock and money follow what is held, so nothing else shows an order that was lost to a cancellation of nobody's.
  if (KEPT.has(told.status) && !KEPT.has(held.status) && !(told.cancelling && held.status === 'cancelled'))
    return [`order ${id} was told ${told.status} and is ${held.status}`]
  if (told.status === 'cancelled' && held.status !== 'cancelled')
    return [`order ${id} was cancelled and is ${held.status}`]
  if (told.totalCents !== undefined && told.totalCents !== held.totalCents)
    return [`order ${id} was told to cost ${told.totalCents} and costs ${held.totalCents}`]
  if (told.lines && written(told.lines) !== written(held.lines))
    return [`order ${id} was for ${written(told.lines)} and is for ${written(held.lines)}`]
  return []
}

const written = (lines: readonly OrderLine[]): string =>
  lines
    .map(({ productId, quantity }) => `${quantity} of ${productId}`)
    .sort()
    .join(', ')

function duplicatedOrders(told: Journal, held: Holdings): Finding[] {
  const perKey = new Map<string, number[]>()
  for (const order of held.orders) perKey.set(order.key, [...(perKey.get(order.key) ?? []), order.id])
  const twice = [...perKey].filter(([, ids]) => ids.length > 1).map(([key, ids]) => `key ${key} made orders ${ids}`)
  const toldTwice = [...told.orders.values()]
    .filter((order) => order.orderIds.size > 1)
    .map((order) => `key ${order.key} was answered with orders ${[...order.orderIds]}`)
  const refused = held.orders
    .filter((order) => told.refused.has(order.key) && KEPT.has(order.status))
    .map((order) => `order ${order.id} was refused and is ${order.status}`)
  return [...twice, ...toldTwice, ...refused]
}

function stockDrift(told: Journal, initial: Stock, held: Holdings): { drift: number; findings: Finding[] } {
  const sold = new Map<number, number>()
  const reserved = new Map<number, number>()
  const add = (to: Map<number, number>, lines: HeldOrder['lines']) => {
    for (const { productId, quantity } of lines) to.set(productId, (to.get(productId) ?? 0) + quantity)
  }
  for (const order of held.orders) if (KEPT.has(order.status)) add(sold, order.lines)
  for (const reservation of held.reservations) if (reservation.status === 'held') add(reserved, reservation.lines)
  let drift = 0
  const findings: Finding[] = []
  for (const [id, start] of initial) {
    const now = held.stock.get(id)
    const { sure, unsure } = told.adjusted.get(id) ?? { sure: 0, unsure: [] }
    const must = start.available + start.reserved + sure - (sold.get(id) ?? 0)
    const is = now ? now.available + now.reserved : 0
    const off = Math.min(...sums(unsure).map((extra) => Math.abs(is - must - extra)))
    const reservedOff = Math.abs((now?.reserved ?? 0) - (reserved.get(id) ?? 0))
    drift += off + reservedOff
    if (off > 0) findings.push(`product ${id}: ${is} units, must be ${must}`)
    if (reservedOff > 0) findings.push(`product ${id}: ${now?.reserved} reserved, must be ${reserved.get(id) ?? 0}`)
  }
  return { drift, findings }
}

/** Every sum that comes of taking or leaving each; adjustments without an answer are few. */
function sums(values: readonly number[]): number[] {
  const known = [0]
  for (const value of values.slice(0, 10)) known.push(...known.map((sum) => sum + value))
  return known
}

function moneyDrift(held: Holdings): { drift: number; findings: Finding[] } {
  let drift = 0
  const findings: Finding[] = []
  const orders = new Map(held.orders.map((order) => [order.id, order]))
  for (const id of new Set([...orders.keys(), ...held.provider.keys(), ...held.payments.keys()])) {
    const order = orders.get(id)
    const must = order && KEPT.has(order.status) ? order.totalCents : 0
    const provider = held.provider.get(id) ?? 0
    const shop = held.payments.get(id) ?? 0
    const off = Math.abs(provider - must) + Math.abs(shop - must)
    drift += off
    if (off > 0) findings.push(`order ${id} (${order?.status}): ${must} due, provider holds ${provider}, shop ${shop}`)
  }
  return { drift, findings }
}

function missingMails(held: Holdings): Finding[] {
  const announced = new Set(held.mailEvents.map(({ type, orderId }) => `${type} ${orderId}`))
  const unsent = held.mailEvents
    .filter((event) => !held.mails.has(event.eventId))
    .map((event) => `no e-mail about ${event.type} of order ${event.orderId}`)
  // An event that was never written asks for no e-mail: what an order is says which there must be. One that was refused
  // before it was placed was told so in the answer.
  const due = ({ id, status }: HeldOrder) => [
    ...(KEPT.has(status) ? ['OrderPlaced'] : []),
    ...(status === 'shipped' ? ['ShipmentDispatched'] : []),
    ...(status === 'cancelled' && announced.has(`OrderPlaced ${id}`) ? ['OrderCancelled'] : []),
  ]
  const silent = held.orders.flatMap((order) =>
    due(order)
      .filter((type) => !announced.has(`${type} ${order.id}`))
      .map((type) => `order ${order.id} is ${order.status} without ${type}`),
  )
  return [...unsent, ...silent]
}

function duplicatedMails(held: Holdings, mayRepeat: ReadonlySet<string>): Finding[] {
  const most = (event: string) => (mayRepeat.has(event) ? 2 : 1)
  const asked = new Set(held.mailEvents.map(({ eventId }) => eventId))
  const told = new Map<string, number>()
  for (const { type, orderId } of held.mailEvents) {
    const news = `${type} of order ${orderId}`
    told.set(news, (told.get(news) ?? 0) + 1)
  }
  const often = [...held.mails]
    .filter(([event, times]) => times > most(event))
    .map(([event, times]) => `event ${event}: ${times} e-mails`)
  // Each event has one e-mail, so whoever is told of the same thing by two of them reads it twice.
  const again = [...told].filter(([, times]) => times > 1).map(([news, times]) => `${news}: ${times} events`)
  return [
    ...often,
    ...again,
    ...[...held.mails.keys()].filter((event) => !asked.has(event)).map((id) => `an e-mail of no event: ${id}`),
  ]
}
