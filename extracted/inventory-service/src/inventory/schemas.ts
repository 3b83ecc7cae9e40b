import { storableText } from '@banyan/kit/service'
import { z } from 'zod'

// A public integer id; 2^53 - 1 is where JSON numbers stop being exact.
const id = z.int().positive()
const pathId = z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER)
const slug = z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'is not a slug such as garden-tools')

export const pageQuery = z.strictObject({
  page: z.coerce.number().int().min(1).max(10_000).default(1),
  size: z.coerce.number().int().min(1).max(100).default(20),
})

export const productQuery = pageQuery.extend({
  q: storableText(1, 200).optional(),
  category: slug.optional(),
  sort: z.enum(['relevance', 'name', 'price', '-price', 'newest']).optional(),
})
export type ProductQuery = z.infer<typeof productQuery>

export const productId = z.object({ id: pathId })
export const orderId = z.object({ orderId: pathId })

const productFields = {
  sku: z.string().regex(/^[A-Z0-9][A-Z0-9-]{1,39}$/, 'is not a SKU such as GAR-0001'),
  name: storableText(1, 200),
  description: storableText(0, 5_000),
  category: slug,
  priceCents: z.int().min(0).max(100_000_000),
}
const units = z.int().min(0).max(1_000_000)

export const newProduct = z.strictObject({
  ...productFields,
  description: productFields.description.default(''),
  available: units.default(0),
})
export type NewProduct = z.infer<typeof newProduct>

export const productPatch = z
  .strictObject(productFields)
  .partial()
  .refine((patch) => Object.keys(patch).length > 0, 'names no field to change')
export type ProductPatch = z.infer<typeof productPatch>

export const stockAdjustment = z.strictObject({
  delta: z
    .int()
    .min(-1_000_000)
    .max(1_000_000)
    .refine((delta) => delta !== 0, 'must not be 0'),
  reason: storableText(1, 200),
})
export type StockAdjustment = z.infer<typeof stockAdjustment>

export const reserveRequest = z.strictObject({
  orderId: id,
  lines: z
    // As many as a hundred lines of an order can ask for of one product.
    .array(z.strictObject({ productId: id, quantity: z.int().min(1).max(100_000) }))
    .min(1)
    .max(100),
  expiresInSeconds: z.int().min(1).max(86_400).optional(),
})

/** `owned`: only from the side that owns inventory, 421 from the other. */
export const lookupRequest = z.strictObject({ ids: z.array(id).min(1).max(200), owned: z.boolean().default(false) })
