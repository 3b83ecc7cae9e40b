import { z } from 'zod'
import type { CorsSettings } from '../gateway/cors.ts'
import type { Rate } from '../gateway/rate-limit.ts'
import { duration } from './schema-duration.ts'

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000 } as const

/** So many requests within so long, written as 100/1m. */
export const rate = z
  .string()
  .regex(/^[1-9]\d*\/[1-9]\d*[smh]$/, 'must be a rate such as 100/1m')
  .transform((text): Rate => {
    const [requests = '', time = ''] = text.split('/')
    return { requests: Number(requests), perMs: Number.parseInt(time, 10) * UNITS[time.at(-1) as keyof typeof UNITS] }
  })

const origin = z
  .string()
  .refine((text) => URL.parse(text)?.origin === text, 'must be an origin such as https://shop.example')
const header = z.string().regex(/^[a-z0-9-]+$/i, 'must be the name of a header')

/** Who may call from a browser, as it is written. */
export const corsSchema = z
  .strictObject({
    origins: z.array(origin).min(1),
    credentials: z.boolean().default(false),
    headers: z.array(header).default([]),
    expose: z.array(header).default([]),
    'max-age': duration.default(600_000),
  })
  .transform(({ 'max-age': maxAgeMs, ...rest }): CorsSettings => ({ ...rest, maxAgeMs }))
