import type { EventHandler } from '@banyan/kit/inbox'
import type { Knex } from 'knex'
import { z } from 'zod'
import { prepare, stop } from './shipments.ts'

const Cancelled = z.object({ orderId: z.int(), userId: z.int() })
const Confirmed = Cancelled.extend({
  customer: z.object({ name: z.string(), email: z.string() }),
  shippingAddress: z.looseObject({}),
})
export type Confirmed = z.infer<typeof Confirmed>

/** @param afterMs how long a parcel is packed before the carrier takes it; until then it can be stopped */
export const shippingHandlers = (afterMs: number): Record<string, EventHandler<Knex.Transaction>> => ({
  OrderConfirmed: (trx, { payload }) => prepare(trx, Confirmed.parse(payload), afterMs),
  OrderCancelled: (trx, { payload }) => stop(trx, Cancelled.parse(payload)),
})
