import { jsonVariable, processConfig } from '@banyan/kit/service'
import { z } from 'zod'

const key = z.looseObject({ kty: z.string(), kid: z.string() })
const jwks = jsonVariable(z.object({ keys: z.array(key).min(1) }))
const seconds = z.coerce.number().int().min(1)

/** The environment of the monolith; main.ts alone reads it. */
export const configSchema = processConfig.extend({
  PORT: processConfig.shape.PORT.default(3000),

  DATABASE_URL: z.url(),
  DATABASE_POOL: z.coerce.number().int().min(2).default(20),
  /** Without it events wait in the outbox. */
  AMQP_URL: z.url().optional(),
  /** Without it the monolith is the only side there is. */
  CONTROL_DATABASE_URL: z.url().optional(),

  /** Private keys of the access tokens: the first signs, the public halves of all are published. */
  JWT_KEYS: jwks,
  JWT_ISSUER: z.string().default('banyan-shop'),
  /** This process's own private key for calls to services, and the public key of each caller (kid = its name). */
  INTERNAL_KEY: jsonVariable(key).optional(),
  INTERNAL_JWKS: jwks.optional(),

  ACCESS_TOKEN_SECONDS: seconds.default(900),
  REFRESH_TOKEN_SECONDS: seconds.default(30 * 86_400),
  /** argon2id as OWASP recommends it: 19 MiB, two passes, one lane. */
  ARGON2_MEMORY_KIB: z.coerce.number().int().min(8).default(19_456),
  ARGON2_PASSES: z.coerce.number().int().min(1).default(2),

  RESERVATION_SECONDS: seconds.default(900),
  INVENTORY_SERVICE_URL: z.url().optional(),

  PAYMENT_PROVIDER_URL: z.url().optional(),
  PAYMENT_PROVIDER_KEY: z.string().optional(),
  SMTP_URL: z.url().optional(),
  /** How long a parcel is packed before the carrier takes it. */
  SHIPPING_DELAY_MS: z.coerce.number().int().min(0).default(2_000),

  /** The shop's first administrator, made at the start if there is none of that address. */
  ADMIN_EMAIL: z.email().optional(),
  ADMIN_PASSWORD: z.string().min(12).optional(),
})

export type Config = Readonly<z.infer<typeof configSchema>>
