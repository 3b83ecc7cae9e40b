import { z } from 'zod'

/** A trimmed text that PostgreSQL can store: it has no way to keep a NUL, and JSON can carry one. */
export const storableText = (min: number, max: number): z.ZodString =>
  z
    .string()
    .trim()
    .min(min)
    .max(max)
    .refine((text) => !text.includes('\0'), 'contains a NUL character')
