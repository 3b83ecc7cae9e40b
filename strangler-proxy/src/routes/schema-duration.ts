import { z } from 'zod'

/** Milliseconds, written as 500ms or 15s. */
export const duration = z
  .string()
  .regex(/^\d+(ms|s)$/, 'must be a duration such as 500ms or 15s')
  .transform((text) => Number.parseInt(text, 10) * (text.endsWith('ms') ? 1 : 1000))
  .refine((ms) => ms > 0, 'must be longer than nothing')
