import { z } from 'zod'

/** What the shipping context takes from the environment. */
export const shippingSettings = {
  /** How long a parcel is packed before the carrier takes it. */
  SHIPPING_DELAY_MS: z.coerce.number().int().min(0).default(2_000),
}

export type ShippingSettings = Readonly<z.infer<z.ZodObject<typeof shippingSettings>>>
