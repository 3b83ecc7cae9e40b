/** The journal of what shoppers were told, read into the questions that the ledger asks. */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { OrderLine, Told } from '../shoppers/told.ts'

export type ToldOrder = {
  key: string
  orderIds: Set<number>
  /** The last status told, a cancellation included. */
  status: string
  /** Whether a cancellation was ever asked for: without one a promised order must not end as cancelled. */
  cancelling: boolean
  totalCents: number | undefined
  lines: readonly OrderLine[] | undefined
}

export type Journal = {
  /** Promised orders by their idempotency key. */
  orders: Map<string, ToldOrder>
  /** Keys of which the shop said that no order came of them. */
  refused: Set<string>
  /** Units moved by hand, per product: surely, and those of which nobody knows. */
  adjusted: Map<number, { sure: number; unsure: number[] }>
}

/** @param file JSON lines; a last line torn by a kill is left out */
export async function readJournal(file: string): Promise<Journal> {
  const journal: Journal = { orders: new Map(), refused: new Set(), adjusted: new Map() }
  const adjustments = new Map<string, { productId: number; delta: number; done?: boolean }>()
  const byId = new Map<number, ToldOrder>()
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const told = parsed(line)
    if (!told) continue
    if (told.kind === 'refused') journal.refused.add(told.key)
    else if (told.kind === 'order') byId.set(told.orderId, noteOrder(journal, told))
    else if (told.kind === 'cancelling') Object.assign(byId.get(told.orderId) ?? {}, { cancelling: true })
    else if (told.kind === 'cancel') {
      const order = byId.get(told.orderId)
      if (order) order.status = told.status
    } else if (told.kind === 'adjusting') adjustments.set(told.id, told)
    else if (told.kind === 'adjusted') Object.assign(adjustments.get(told.id) ?? {}, { done: told.done })
  }
  for (const { productId, delta, done } of adjustments.values()) {
    const sum = journal.adjusted.get(productId) ?? { sure: 0, unsure: [] }
    if (done) sum.sure += delta
    else if (done === undefined) sum.unsure.push(delta)
    journal.adjusted.set(productId, sum)
  }
  return journal
}

function noteOrder(journal: Journal, told: Extract<Told, { kind: 'order' }>): ToldOrder {
  const known = journal.orders.get(told.key)
  const order: ToldOrder = known ?? {
    key: told.key,
    orderIds: new Set(),
    status: told.status,
    cancelling: false,
    totalCents: undefined,
    lines: told.lines,
  }
  order.orderIds.add(told.orderId)
  order.status = told.status
  order.totalCents = told.totalCents ?? order.totalCents
  journal.orders.set(told.key, order)
  return order
}

function parsed(line: string): Told | undefined {
  try {
    return JSON.parse(line) as Told
  } catch {
    return undefined
  }
}
