import { serviceConfig } from '@banyan/kit/service'
import { z } from 'zod'
import { inventorySettings } from './inventory/settings.ts'
import { notificationsSettings } from './notifications/settings.ts'
import { paymentsSettings } from './payments/settings.ts'
import { shippingSettings } from './shipping/settings.ts'
import { usersSettings } from './users/settings.ts'

/** The environment of the monolith; main.ts alone reads it. */
export const configSchema = serviceConfig.extend({
  PORT: serviceConfig.shape.PORT.default(3000),
  ...usersSettings,
  ...inventorySettings,
  ...paymentsSettings,
  ...shippingSettings,
  ...notificationsSettings,
  /** Where a context is asked once it has moved out; without it that context cannot move. */
  INVENTORY_SERVICE_URL: z.url().optional(),
  USER_SERVICE_URL: z.url().optional(),
  PAYMENT_SERVICE_URL: z.url().optional(),
})

export type Config = Readonly<z.infer<typeof configSchema>>
