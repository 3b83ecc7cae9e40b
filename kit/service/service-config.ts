/** What a process takes that has contexts in it: a database, a broker, the control database, and keys. */
import { z } from 'zod'
import { jsonVariable, processConfig } from './config.ts'

const key = z.looseObject({ kty: z.string(), kid: z.string() })

/** A variable that holds one JWK, and one that holds a set of them; each key has a `kid`. */
export const jwkVariable = jsonVariable(key)
export const jwksVariable = jsonVariable(z.object({ keys: z.array(key).min(1) }))

/** Extend it with the process's own port and with what its contexts need. */
export const serviceConfig = processConfig.extend({
  DATABASE_URL: z.url(),
  DATABASE_POOL: z.coerce.number().int().min(2).default(20),
  /** Without it events wait in the outbox, and none comes. */
  AMQP_URL: z.url().optional(),
  /** Without it nobody is told where this instance is, and no hold is seen. */
  CONTROL_DATABASE_URL: z.url().optional(),
  /** Where others reach this instance; its own listener unless told. */
  SELF_URL: z.url().optional(),

  /** Public keys of the users' access tokens, as they are or where to fetch them. */
  JWT_JWKS: jwksVariable.optional(),
  JWT_JWKS_URL: z.url().optional(),
  JWT_ISSUER: z.string().min(1),
  /** The issuer unless told. */
  JWT_AUDIENCE: z.string().min(1).optional(),

  /** This process's own private key for calls to others. */
  INTERNAL_KEY: jwkVariable.optional(),
  /** The public key of each process that may call the internal routes (kid = its name); without it nobody may. */
  INTERNAL_JWKS: jwksVariable.optional(),
})

export type ServiceConfig = Readonly<z.infer<typeof serviceConfig>>
