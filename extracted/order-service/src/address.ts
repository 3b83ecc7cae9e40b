import { storableText } from '@banyan/kit/service'
import { z } from 'zod'

const line = storableText(1, 200)

/** Where parcels go; the same in an address book and on an order. */
export const addressSchema = z.strictObject({
  name: line,
  line1: line,
  line2: line.optional(),
  postalCode: storableText(1, 20),
  city: storableText(1, 100),
  country: z.string().regex(/^[A-Z]{2}$/, 'is not a two-letter country code (ISO 3166-1) such as DE'),
})

export type Address = z.infer<typeof addressSchema>
