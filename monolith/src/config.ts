import { z } from 'zod'

const milliseconds = z.coerce.number().int().min(0)
const json = z.string().transform((text, context) => {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    context.addIssue({ code: 'custom', message: 'is not JSON' })
    return z.NEVER
  }
})
const jwks = json.pipe(z.looseObject({ keys: z.array(z.looseObject({ kid: z.string(), kty: z.string() })).min(1) }))
const jwk = json.pipe(z.looseObject({ kid: z.string(), kty: z.string(), d: z.string() }))

/** The environment of the monolith; main.ts alone reads it. */
export const configSchema = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(3000),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  BANYAN_LIFELINE: z.literal('stdin').optional(),
  FAIL_POINTS: z.string().default(''),
  SHUTDOWN_GRACE_MS: milliseconds.default(10_000),

  DATABASE_URL: z.url(),
  DATABASE_POOL: z.coerce.number().int().min(2).default(20),
  AMQP_URL: z.url().optional(),
  /** Without it the monolith is the only side there is. */
  CONTROL_DATABASE_URL: z.url().optional(),

  /** Private JWKS; the first key signs, all are published. */
  JWT_KEYS: jwks,
  JWT_ISSUER: z.string().default('banyan-shop'),
  /** This process's own private key for calls to services, and everybody's public ones (kid = name). */
  INTERNAL_KEY: jwk.optional(),
  INTERNAL_JWKS: jwks.default({ keys: [] }),

  ACCESS_TOKEN_SECONDS: z.coerce.number().int().min(1).default(900),
  REFRESH_TOKEN_SECONDS: z.coerce.number().int().min(1).default(30 * 86_400),
  /** argon2id, OWASP's recommendation: 19 MiB, two passes, one lane. */
  ARGON2_MEMORY_KIB: z.coerce.number().int().min(8).default(19_456),
  ARGON2_PASSES: z.coerce.number().int().min(1).default(2),

  RESERVATION_SECONDS: z.coerce.number().int().min(1).default(900),
  INVENTORY_SERVICE_URL: z.url().optional(),

  PAYMENT_PROVIDER_URL: z.url().optional(),
  PAYMENT_PROVIDER_KEY: z.string().optional(),
  SMTP_URL: z.url().optional(),

  ADMIN_EMAIL: z.email().optional(),
  ADMIN_PASSWORD: z.string().min(12).optional(),
})

export type Config = Readonly<z.infer<typeof configSchema>>
