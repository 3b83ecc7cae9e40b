import { jsonVariable, processConfig } from '@banyan/kit/service'
import { z } from 'zod'

const jwks = jsonVariable(z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string() })).min(1) }))

/** The environment of the inventory service; main.ts alone reads it. */
export const configSchema = processConfig.extend({
  PORT: processConfig.shape.PORT.default(3002),

  DATABASE_URL: z.url(),
  DATABASE_POOL: z.coerce.number().int().min(2).default(20),
  /** Without it events wait in the outbox. */
  AMQP_URL: z.url().optional(),
  /** Without it nobody is told where this instance is, and no hold is seen. */
  CONTROL_DATABASE_URL: z.url().optional(),
  /** Where others reach this instance; its own listener unless told. */
  SELF_URL: z.url().optional(),

  /** Public keys of the users' access tokens, as they are or where to fetch them. */
  JWT_JWKS: jwks.optional(),
  JWT_JWKS_URL: z.url().optional(),
  JWT_ISSUER: z.string().default('banyan-shop'),
  /** The public key of each process that may call the internal routes (kid = its name). */
  INTERNAL_JWKS: jwks,

  RESERVATION_SECONDS: z.coerce.number().int().min(1).default(900),
})

export type Config = Readonly<z.infer<typeof configSchema>>
