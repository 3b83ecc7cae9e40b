import { z } from 'zod'

/** What the payments context takes from the environment. */
export const paymentsSettings = {
  /** Without it nothing can be charged. */
  PAYMENT_PROVIDER_URL: z.url().optional(),
  PAYMENT_PROVIDER_KEY: z.string().optional(),
}

export type PaymentsSettings = Readonly<z.infer<z.ZodObject<typeof paymentsSettings>>>
