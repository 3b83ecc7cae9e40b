/** What requests of any service look like: pages, ids, idempotency keys, texts. */
import type { Request } from 'express'
import { z } from 'zod'
import { problem } from './problem.ts'

/** Which part of a list; the first page is 1. */
export const pageQuery = z.strictObject({
  page: z.coerce.number().int().min(1).max(10_000).default(1),
  size: z.coerce.number().int().min(1).max(100).default(20),
})

/** A public integer id in a path. */
export const pathId = z.object({ id: z.coerce.number().int().positive().max(Number.MAX_SAFE_INTEGER) })

/** @throws Problem 400 idempotency-key-required */
export const idempotencyKey = (req: Request): string => {
  const key = req.get('idempotency-key')
  if (key === undefined || !/^[\x21-\x7e]{1,200}$/.test(key))
    throw problem(
      400,
      'idempotency-key-required',
      'Send an Idempotency-Key header of your own choice, 1 to 200 visible ASCII characters, and the same one when you try again.',
    )
  return key
}

/**
 * A trimmed text that PostgreSQL can store. JSON can carry a NUL, which it has no way to keep, and half of a surrogate
 * pair, which would become another character in a text and is an error in a jsonb.
 */
export const storableText = (min: number, max: number): z.ZodString =>
  z
    .string()
    .trim()
    .min(min)
    .max(max)
    .refine((text) => !text.includes('\0'), 'contains a NUL character')
    .refine((text) => text.isWellFormed(), 'contains half of a surrogate pair')
