import { z } from 'zod'

/** What the notifications context takes from the environment. */
export const notificationsSettings = {
  /** Without a mail server letters wait. */
  SMTP_URL: z.url().optional(),
  /**
   * How long a letter is left to whoever took it: longer than sending it can take. After a kill in between, a letter
   * goes out a second time at the earliest then.
   */
  MAIL_LEASE_MS: z.coerce.number().int().min(1_000).default(60_000),
}

export type NotificationsSettings = Readonly<z.infer<z.ZodObject<typeof notificationsSettings>>>
