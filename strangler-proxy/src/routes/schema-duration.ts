import { z } from 'zod'

/** Milliseconds, written as 500ms or 15s. */
export const duration = z
  .string()
  .regex(/^\d+(ms|s|m)$/, 'must be a duration such as 500ms or 15s')
  .transform((text) => Number.parseInt(text, 10) * (text.endsWith('ms') ? 1 : text.endsWith('s') ? 1_000 : 60_000))
  .refine((ms) => ms > 0, 'must be longer than nothing')
