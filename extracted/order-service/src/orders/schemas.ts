import { z } from 'zod'
import { addressSchema } from '../address.ts'

const quantity = z.int().min(1).max(1_000)

export const productPath = z.object({
  productId: z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER),
})
export const cartItem = z.strictObject({ quantity })

export const orderRequest = z.strictObject({
  /** Absent: what is in the cart. */
  items: z
    .array(z.strictObject({ productId: z.int().positive(), quantity }))
    .min(1)
    .max(100)
    .optional(),
  paymentToken: z.string().regex(/^tok_\w{1,60}$/, 'is not a token of the payment provider such as tok_visa'),
  shippingAddress: addressSchema,
})
export type OrderRequest = z.infer<typeof orderRequest>
