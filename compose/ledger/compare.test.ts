import { expect, test } from 'vitest'
import { compare, isExact } from './compare.ts'
import type { Holdings } from './held.ts'
import type { Journal } from './journal.ts'

const line = { productId: 7, quantity: 2 }

function told(): Journal {
  return {
    orders: new Map([
      [
        'k1',
        { key: 'k1', orderIds: new Set([1]), status: 'confirmed', cancelling: false, totalCents: 500, lines: [line] },
      ],
    ]),
    refused: new Set(['k2']),
    adjusted: new Map([[7, { sure: 3, unsure: [] }]]),
  }
}

const initial = new Map([[7, { available: 10, reserved: 0 }]])

function held(): Holdings {
  return {
    orders: [{ id: 1, key: 'k1', status: 'confirmed', totalCents: 500, lines: [line] }],
    stock: new Map([[7, { available: 11, reserved: 0 }]]),
    reservations: [{ orderId: 1, status: 'confirmed', lines: [line] }],
    payments: new Map([[1, 500]]),
    provider: new Map([[1, 500]]),
    mailEvents: [{ eventId: 'e1', type: 'OrderPlaced', orderId: 1 }],
    mails: new Map([['e1', 1]]),
  }
}

const NOTHING_WRONG = compare(told(), initial, held()).ledger

function ledgerWith(change: (held: Holdings, told: Journal) => void) {
  const [holdings, journal] = [held(), told()]
  change(holdings, journal)
  return compare(journal, initial, holdings).ledger
}

test('what was told and what is held agree', () => {
  const { ledger, findings } = compare(told(), initial, held())
  expect([isExact(ledger), findings]).toEqual([true, []])
  expect(ledger.ordersAcknowledged).toBe(1)
})

test('a promised order that is nowhere is missing', () => {
  const ledger = ledgerWith((holdings) => {
    holdings.orders = []
  })
  expect(ledger.ordersMissing).toBe(1)
})

test('a promised order that never ended is missing', () => {
  const ledger = ledgerWith((holdings) => {
    holdings.orders[0]!.status = 'pending'
  })
  expect(ledger.ordersMissing).toBe(1)
})

test('an order that is still on its way at the end is missing, though nobody was told more than that', () => {
  const left = (status: string) =>
    ledgerWith((holdings, journal) => {
      journal.orders.get('k1')!.status = status
      holdings.orders[0]!.status = status
    }).ordersMissing
  expect([left('pending'), left('cancelling')]).toEqual([1, 1])
})

test('a promised order that costs something else is missing', () => {
  const ledger = ledgerWith((holdings) => {
    holdings.orders[0]!.totalCents = 600
    for (const money of [holdings.payments, holdings.provider]) money.set(1, 600)
  })
  expect(ledger).toEqual({ ...NOTHING_WRONG, ordersMissing: 1 })
})

test('a key that was answered with two orders is a duplicate, and missing one of them a loss', () => {
  const ledger = ledgerWith((_, journal) => {
    journal.orders.get('k1')!.orderIds.add(2)
  })
  expect(ledger).toEqual({ ...NOTHING_WRONG, ordersDuplicated: 1, ordersMissing: 1 })
})

test('an order that came to nothing, and whose shopper was told so, is none too many', () => {
  const ledger = ledgerWith((holdings) => {
    holdings.orders.push({ id: 2, key: 'k2', status: 'cancelled', totalCents: 500, lines: [line] })
  })
  expect(ledger).toEqual(NOTHING_WRONG)
})

test('a promised order that is cancelled is missing, unless its cancellation was asked for', () => {
  const lost = (cancelling: boolean) =>
    ledgerWith((holdings, journal) => {
      journal.orders.get('k1')!.cancelling = cancelling
      holdings.orders[0]!.status = 'cancelled'
      holdings.stock.set(7, { available: 13, reserved: 0 })
      for (const money of [holdings.payments, holdings.provider]) money.set(1, 0)
      holdings.mailEvents.push({ eventId: 'e2', type: 'OrderCancelled', orderId: 1 })
      holdings.mails.set('e2', 1)
    })
  expect(lost(false)).toEqual({ ...NOTHING_WRONG, ordersMissing: 1 })
  expect(lost(true)).toEqual(NOTHING_WRONG)
})

test('a promised order of something else is missing', () => {
  const ledger = ledgerWith((holdings) => {
    holdings.orders[0]!.lines = [{ productId: 8, quantity: 2 }]
  })
  expect(ledger.ordersMissing).toBe(1)
})

test('an order told cancelled that still stands is missing its cancellation', () => {
  const ledger = ledgerWith((_, journal) => {
    journal.orders.get('k1')!.status = 'cancelled'
  })
  expect(ledger.ordersMissing).toBe(1)
})

test('two orders of one key, and one order of a refused key, are duplicates', () => {
  const ledger = ledgerWith((holdings) => {
    const [order] = holdings.orders
    holdings.orders.push({ ...order!, id: 2 }, { ...order!, id: 3, key: 'k2' })
  })
  expect(ledger.ordersDuplicated).toBe(2)
})

test('a unit sold twice, or a reservation that holds nothing, is stock drift', () => {
  expect(ledgerWith((holdings) => holdings.stock.set(7, { available: 13, reserved: 0 })).stockDrift).toBe(2)
  expect(ledgerWith((holdings) => holdings.stock.set(7, { available: 10, reserved: 1 })).stockDrift).toBe(1)
})

test('an adjustment without an answer may have happened or not', () => {
  const unsure = (available: number) =>
    ledgerWith((holdings, journal) => {
      journal.adjusted.set(7, { sure: 3, unsure: [5] })
      holdings.stock.set(7, { available, reserved: 0 })
    }).stockDrift
  expect([unsure(11), unsure(16), unsure(12)]).toEqual([0, 0, 1])
})

test('money charged twice, or kept for a cancelled order, is money drift', () => {
  expect(ledgerWith((holdings) => holdings.provider.set(1, 1000)).moneyDriftCents).toBe(500)
  const kept = ledgerWith((holdings) => {
    holdings.orders[0]!.status = 'cancelled'
  })
  expect(kept.moneyDriftCents).toBe(1000)
})

test('a charge of an order that does not exist is money drift, whoever says so', () => {
  expect(ledgerWith((holdings) => holdings.provider.set(99, 250)).moneyDriftCents).toBe(250)
  expect(ledgerWith((holdings) => holdings.payments.set(99, 250)).moneyDriftCents).toBe(250)
})

test('an event without an e-mail, and an order without its event, miss an e-mail', () => {
  expect(ledgerWith((holdings) => holdings.mails.clear()).emailsMissing).toBe(1)
  const silent = ledgerWith((holdings) => {
    holdings.mailEvents = []
  })
  expect(silent).toMatchObject({ emailsMissing: 1, emailsDuplicated: 1 })
})

test('an order that was shipped or cancelled without a word misses an e-mail', () => {
  const missing = (status: string) =>
    ledgerWith((holdings) => {
      holdings.orders[0]!.status = status
    }).emailsMissing
  expect([missing('confirmed'), missing('shipped'), missing('cancelled')]).toEqual([0, 1, 1])
})

test('an e-mail that no event asks for is one too many', () => {
  expect(ledgerWith((holdings) => holdings.mails.set('e9', 1)).emailsDuplicated).toBe(1)
})

test('an event with two e-mails is a duplicate', () => {
  expect(ledgerWith((holdings) => holdings.mails.set('e1', 2)).emailsDuplicated).toBe(1)
})

test('two events of the same thing are one e-mail too many, though each has but one', () => {
  const ledger = ledgerWith((holdings) => {
    holdings.mailEvents.push({ eventId: 'e2', type: 'OrderPlaced', orderId: 1 })
    holdings.mails.set('e2', 1)
  })
  expect(ledger).toEqual({ ...NOTHING_WRONG, emailsDuplicated: 1 })
})

test('an e-mail that a killed process had in its hand may be there twice, and not three times', () => {
  const ledgerOf = (times: number, mayRepeat: string[]) => {
    const holdings = held()
    holdings.mails.set('e1', times)
    return compare(told(), initial, holdings, new Set(mayRepeat)).ledger.emailsDuplicated
  }
  expect([ledgerOf(2, ['e1']), ledgerOf(2, ['e2']), ledgerOf(3, ['e1'])]).toEqual([0, 1, 1])
})
