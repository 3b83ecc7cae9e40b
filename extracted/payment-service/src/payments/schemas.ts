import { z } from 'zod'

// A public integer id; 2^53 - 1 is where JSON numbers stop being exact.
const id = z.int().positive()

export const chargeRequest = z.strictObject({
  orderId: id,
  userId: id,
  amountCents: z.int().min(1).max(100_000_000),
  token: z.string().regex(/^tok_\w{1,60}$/, 'is not a token of the payment provider such as tok_visa'),
})
export const cancelRequest = z.strictObject({ userId: id })
export const chargePath = z.object({ orderId: z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER) })
