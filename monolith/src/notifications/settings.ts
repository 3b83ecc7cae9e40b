import { z } from 'zod'

/** What the notifications context takes from the environment. */
export const notificationsSettings = {
  /** Without a mail server letters wait. */
  SMTP_URL: z.url().optional(),
}

export type NotificationsSettings = Readonly<z.infer<z.ZodObject<typeof notificationsSettings>>>
