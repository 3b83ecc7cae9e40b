/** What shoppers were told, line by line: the ledger compares it with what the databases hold. */

export type OrderLine = { productId: number; quantity: number }

export type Told =
  /** An order is about to be asked for; whatever the answer, at most one may come of this key. */
  | { kind: 'ordering'; at: string; key: string; email: string }
  /** 201 or 202 with the order's id, or a poll that ended it: the shop has promised this order. */
  | {
      kind: 'order'
      at: string
      key: string
      orderId: number
      status: string
      totalCents?: number
      lines?: OrderLine[]
    }
  /** A refusal that promises that there is no order (402, 409, 422). */
  | { kind: 'refused'; at: string; key: string; status: number }
  /** A cancellation is about to be asked for: from now on the order may end as cancelled, whatever the answer. */
  | { kind: 'cancelling'; at: string; orderId: number }
  | { kind: 'cancel'; at: string; orderId: number; status: string }
  /** About to move stock by hand; without an answer it may have happened or not. */
  | { kind: 'adjusting'; at: string; id: string; productId: number; delta: number }
  | { kind: 'adjusted'; at: string; id: string; done: boolean }
