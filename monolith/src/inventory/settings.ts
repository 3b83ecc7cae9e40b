import { z } from 'zod'

/** What the inventory context takes from the environment. */
export const inventorySettings = {
  /** How long a reservation holds when the order does not say. */
  RESERVATION_SECONDS: z.coerce.number().int().min(1).default(900),
}

export type InventorySettings = Readonly<z.infer<z.ZodObject<typeof inventorySettings>>>
